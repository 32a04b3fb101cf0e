"""The kernel's own process: ipykernel with every socket on IPC.

ipykernel opens one port on 127.0.0.1 whatever its transport, through which forked processes pass on what they print.
Here that pipe is a socket in the run's private folder too. Run as a file, so that a kernel needs no `press` to import.
"""

import os
import sys
from pathlib import Path

import zmq
from ipykernel import iostream, kernelapp
from zmq.eventloop.zmqstream import ZMQStream

ADDRESS = f"ipc://{Path(sys.argv[sys.argv.index('-f') + 1]).with_name('k-pipe')}"      # beside the connection file


class IOPubThread(iostream.IOPubThread):
    """ipykernel's thread for output, listening for forked processes on ADDRESS."""

    def _setup_pipe_in(self) -> None:
        self._pipe_uuid = os.urandom(16)
        pipe = self.socket.context.socket(zmq.PULL)
        pipe.linger = 0
        pipe.bind(ADDRESS)
        self._pipe_in = ZMQStream(pipe, self.io_loop)
        self._pipe_in.on_recv(self._handle_pipe_msg)

    def _setup_pipe_out(self) -> tuple[zmq.Context, zmq.Socket]:
        context = zmq.Context()                                  # a forked process must not use its parent's
        pipe = context.socket(zmq.PUSH)
        pipe.linger = 3000
        pipe.connect(ADDRESS)
        return context, pipe


if __name__ == "__main__":
    del sys.path[0]                                              # this file's folder; IPython puts the notebook's there
    kernelapp.IOPubThread = IOPubThread
    kernelapp.launch_new_instance()
