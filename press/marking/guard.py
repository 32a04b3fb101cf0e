"""Runs inside the kernel that marks a task: sets limits, and puts back what the reader's cells replaced.

Sent as text, so that the kernel needs no `press`. It is a help against accidents and simple tricks, not a wall: code in
the same process can undo whatever this does.
"""

import builtins
import json
import os
import sys
import threading
import types

LIBRARIES = (
    "builtins",
    "math",
    "numpy",
    "numpy.linalg",
    "numpy.testing",
    "torch",
    "torch.nn.functional",
    "torch.testing",
    "pandas",
    "pandas.testing",
)
TURNING = ("_", "input", "get_ipython", "display")                        # the kernel itself replaces these as it goes
MISSING = object()


class Guard:
    """Remembers how things stand, and restores them."""

    def __init__(self, shell, memory_mb, file_mb):
        self.shell = shell
        self.holders = {}
        self.names = {}
        self.present = set()
        self.free = set()
        for holder in (builtins, *_classes(shell), *_classes(getattr(shell, "kernel", None))):
            self._keep(holder)
        self.own = {key: dict(vars(owner)) for key, owner in self._instances()}
        self.callbacks = {name: list(found) for name, found in shell.events.callbacks.items()}
        shell.InteractiveTB.set_mode("Plain")                            # quick, also for a thousand frames
        _limit(memory_mb, file_mb)

    def _instances(self):
        return (("shell", self.shell), ("kernel", getattr(self.shell, "kernel", None) or self.shell))

    def _keep(self, holder):
        if id(holder) not in self.holders:
            self.holders[id(holder)] = (holder, {k: v for k, v in vars(holder).items() if callable(v)})

    def remember(self, names, free):
        """Keep the set-up's names, and the functions of the libraries that the checks may call."""
        space = self.shell.user_ns
        self.names = {name: space[name] for name in names if name in space}
        self.present, self.free = set(space), set(free)
        modules = [value for value in space.values() if isinstance(value, types.ModuleType)]
        modules += [sys.modules[name] for name in sys.modules if name in LIBRARIES or name.startswith("dlbook")]
        for module in modules:
            if not module.__name__.startswith("matplotlib"):             # it replaces its own functions as it goes
                self._keep(module)
        return json.dumps(sorted(self.names))

    def restore(self, token):
        """Put everything back; says what had been changed, with the token, so that the answer is known to be new."""
        sys.settrace(None)
        sys.setprofile(None)
        threading.settrace(None)
        changed = [name for holder, kept in self.holders.values() for name in _put_back(holder, kept)]
        changed += [f"{key}.{name}" for key, owner in self._instances() for name in self._bare(key, owner)]
        changed += self._hooks() + self._names()
        return json.dumps({"token": token, "changed": changed})

    def _bare(self, key, owner):
        """Take away functions that were set on an object to hide those of its class."""
        new = [name for name, value in vars(owner).items()
               if callable(value) and self.own[key].get(name, MISSING) is MISSING and hasattr(type(owner), name)]
        for name in new:
            if not isinstance(getattr(type(owner), name), property) and not _is_trait(owner, name):
                del vars(owner)[name]
        return [name for name in new if name not in vars(owner)]

    def _hooks(self):
        changed = []
        for name in ("ast_transformers", "input_transformers_post"):
            if getattr(self.shell, name, None):
                getattr(self.shell, name).clear()
                changed.append(f"IPython's {name}")
        for name, found in self.shell.events.callbacks.items():
            kept = self.callbacks.get(name, [])
            new = [call for call in found if call not in kept and not _is_of(call, "matplotlib")]
            found[:] = kept
            if new:
                changed.append(f"IPython's event {name}")
        return changed

    def _names(self):
        """Give the set-up's names their meaning back, and the built-in functions theirs."""
        space = self.shell.user_ns
        changed = [name for name, value in self.names.items() if space.get(name, MISSING) is not value]
        space.update({name: self.names[name] for name in changed})
        kept = self.present | self.free
        shadows = [name for name in space if name not in kept and name in vars(builtins) and not name.startswith("_")]
        for name in shadows:
            del space[name]
        return changed + shadows


def _classes(owner):
    return () if owner is None else (kind for kind in type(owner).__mro__ if kind is not object)


def _is_trait(owner, name):
    return name in getattr(owner, "traits", dict)()


def _put_back(holder, kept):
    """Put replaced functions of a module or class back; their names, but for those that the library replaced itself."""
    names = [
        name for name, value in kept.items() if vars(holder).get(name, MISSING) is not value and name not in TURNING
    ]
    told = [name for name in names if holder is builtins or not _is_of(vars(holder).get(name), holder.__name__)]
    for name in names:
        try:
            setattr(holder, name, kept[name])
        except (AttributeError, TypeError):
            pass
    label = "" if holder is builtins else f"{holder.__name__}."
    return [f"{label}{name}" for name in told]


def _is_of(function, library):
    """Whether a function comes from a library, by what it says of itself."""
    return str(getattr(function, "__module__", "")).partition(".")[0] == library.partition(".")[0]


def _limit(memory_mb, file_mb):
    """Hard limits where the system has them: no core dumps, no huge files, a bound on memory and on processes."""
    try:
        import resource
    except ImportError:
        return
    bounds = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": int(file_mb * 1e6)}
    if memory_mb and sys.platform == "linux":
        bounds["RLIMIT_DATA"] = int((2 * memory_mb + 1024) * 1e6)
    for name, bound in bounds.items():
        try:
            hard = resource.getrlimit(getattr(resource, name))[1]
            bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
            resource.setrlimit(getattr(resource, name), (bound, bound))
        except (ValueError, OSError, AttributeError):
            pass
    os.umask(0o077)
