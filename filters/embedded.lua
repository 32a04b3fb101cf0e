-- Embedded engine, after labels.lua: print numbers, set cross-references, citations and links between notebooks, and give
-- callouts, tabsets, folded code and proofs their form. For a document of the whole book, what a page refers to is in a
-- small file (meta dl-refs): {labels: {id: {text, url}}, cites: {key: {author, year}}, pages: {path: url}}. For html there
-- is none: the text keeps an open place for each, which press/render/body.py fills once all pages are read, and what
-- the template needs of the page goes to a file of its own (meta dl-page).

local stringify = pandoc.utils.stringify
local refs, html
local NAMES = {fig = 'Figure', tbl = 'Table', thm = 'Theorem', lem = 'Lemma', def = 'Definition', exm = 'Example',
               exr = 'Exercise', cor = 'Corollary', prp = 'Proposition'}
local CALLOUTS = {['callout-note'] = true, ['callout-tip'] = true, ['callout-warning'] = true,
                  ['callout-important'] = true, ['callout-caution'] = true}
local NBSP = '\u{a0}'

local function raw(text) return pandoc.RawBlock('html', text) end

local function read_json(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('a')
  file:close()
  return pandoc.json.decode(text, false)
end

-- ---- open places, in html ------------------------------------------------------------------------------------------

local LABELS = {sec = true, fig = true, tbl = true, eq = true}
for name in pairs(NAMES) do LABELS[name] = true end

--- A table whose every entry is a table of open places: open('label').x.number is to be filled with the number of x.
local function open(kind)
  return setmetatable({}, {__index = function(_, id)
    return setmetatable({}, {__index = function(_, what)
      return ('\u{e000}%s %s %s\u{e001}'):format(kind, what, id)
    end})
  end})
end

local function open_places()
  local works, pages = open('work'), open('page')
  local function is_work(id) return not LABELS[id:match('^(%l+)%-')] end
  local function is_source(path) return path:match('%.ipynb$') or path:match('%.qmd$') end
  return {labels = open('label'), bibliography = pages['references.qmd'].bibliography,
          cites = setmetatable({}, {__index = function(_, id) return is_work(id) and works[id] or nil end}),
          pages = setmetatable({}, {__index = function(_, path) return is_source(path) and pages[path].url or nil end})}
end

-- ---- references ----------------------------------------------------------------------------------------------------

local function cross_reference(item)
  local label = refs.labels[item.id]
  local text = item.mode == 'SuppressAuthor' and label.number or label.text
  return pandoc.Link({pandoc.Str(text)}, label.url, '', pandoc.Attr('', {'xref'}))
end

local function cited(item, text)
  return pandoc.Link({pandoc.Str(text)}, refs.bibliography .. '#ref-' .. item.id, '', pandoc.Attr('', {'citation'}))
end

local function parenthetical(item)
  local work = refs.cites[item.id]
  local out = pandoc.Inlines({})
  if #item.prefix > 0 then out:extend(item.prefix) out:insert(pandoc.Space()) end
  local only_year = item.mode == 'SuppressAuthor'
  out:insert(cited(item, only_year and work.year or work.author .. ' ' .. work.year))
  out:extend(item.suffix)
  return out
end

local function in_text(item)
  local work = refs.cites[item.id]
  local out = pandoc.Inlines({cited(item, work.author .. ' (' .. work.year)})
  out:extend(item.suffix)
  out[1].content = pandoc.Inlines({pandoc.Str(work.author .. ' (' .. work.year .. (#item.suffix == 0 and ')' or ''))})
  if #item.suffix > 0 then out:insert(pandoc.Str(')')) end
  return out
end

--- [@a; @b, p. 3] as one bracket; labels and works may not be mixed in one, so each run is set on its own.
local function cite(el)
  local out, open = pandoc.Inlines({}), false
  for i, item in ipairs(el.citations) do
    local work = refs.cites[item.id]
    local bracket = work and item.mode ~= 'AuthorInText'
    if open and not bracket then out:insert(pandoc.Str(')')) open = false end
    if i > 1 then out:extend({pandoc.Str(bracket and open and ';' or ','), pandoc.Space()}) end
    if bracket and not open then out:insert(pandoc.Str('(')) open = true end
    if not work and #item.prefix > 0 then out:extend(item.prefix) out:insert(pandoc.Space()) end
    if work then out:extend(bracket and parenthetical(item) or in_text(item))
    else out:insert(cross_reference(item)) out:extend(item.suffix) end
  end
  if open then out:insert(pandoc.Str(')')) end
  return out
end

--- A link to another source file becomes one to its page, or in a single document to the place in it.
local function link(el)
  local path, anchor = el.target:match('^([^#]*)(#?.*)$')
  local url = refs.pages[path]
  if not url then return nil end
  el.target = html and url .. anchor or (anchor ~= '' and anchor or '#' .. url)
  return el
end

-- ---- numbers -------------------------------------------------------------------------------------------------------

local headings = {}         -- of the page: what the template needs

local function write_inlines(content)
  local text = pandoc.write(pandoc.Pandoc({pandoc.Plain(content)}), 'html5', {html_math_method = 'mathml'})
  return (text:gsub('\n$', ''))
end

local function plain(content)
  return stringify(content:walk({Note = function() return {} end}))
end

local function remember(el)
  local text = el.content:walk({Note = function() return {} end, Link = function(a) return a.content end})
  table.insert(headings, {id = el.identifier, level = el.level, number = el.attributes.number or '',
                          html = write_inlines(text), text = plain(el.content)})
end

local function header(el)
  if html then remember(el) end
  local number = el.attributes.number
  if not number or not html then return nil end
  local class = el.level == 1 and 'chapter-number' or 'header-section-number'
  el.content:insert(1, pandoc.Space())
  el.content:insert(1, pandoc.Span({pandoc.Str(number)}, pandoc.Attr('', {class})))
  return el
end

local function caption(el)
  local name = NAMES[el.identifier:match('^(%l+)%-')]
  local number = el.attributes.number
  if not (name and number) then return nil end
  el.attributes.number = nil
  local long = el.caption.long
  if #long == 0 then long = pandoc.Blocks({pandoc.Plain({})}) end
  local first = #long[1].content > 0 and ': ' or ''
  long[1].content:insert(1, pandoc.Span({pandoc.Str(name .. NBSP .. number .. first)},
                                        pandoc.Attr('', {'caption-label'})))
  el.caption.long = long
  return el
end

local function equation(el)
  if not (html and el.classes:includes('equation')) then return nil end
  local number = '(' .. el.attributes.number .. ')'
  el.attributes.number = nil
  el.content:insert(pandoc.Span({pandoc.Str(number)}, pandoc.Attr('', {'equation-number'})))
  return el
end

-- ---- blocks --------------------------------------------------------------------------------------------------------

--- Take the div of this class that leads the content.
local function lead(div, class)
  local first = div.content[1]
  if first and first.t == 'Div' and first.classes:includes(class) then
    div.content:remove(1)
    return first.content[1].content
  end
end

local function titled(class, content) return pandoc.Div({pandoc.Plain(content)}, pandoc.Attr('', {class})) end

local function theorem(div)
  local name = NAMES[div.identifier:match('^(%l+)%-')] .. NBSP .. div.attributes.number
  local title = lead(div, 'dl-title')
  local text = pandoc.Inlines({pandoc.Span({pandoc.Str(name)}, pandoc.Attr('', {'theorem-number'}))})
  if title then text:extend({pandoc.Space(), pandoc.Str('(')}) text:extend(title) text:insert(pandoc.Str(')')) end
  div.attributes.number = nil
  div.content:insert(1, titled('theorem-title', text))
  return div
end

--- The tombstone after a proof: the style's work in html, part of the text elsewhere.
local function tombstone(blocks)
  local last = blocks[#blocks]
  local mark = pandoc.Inlines({pandoc.Str(NBSP .. '∎')})
  if last.t == 'Para' then last.content:extend(mark) blocks[#blocks] = last
  else blocks:insert(pandoc.Para(mark)) end
end

local function proof(div)
  local head = pandoc.Inlines({pandoc.Span({pandoc.Emph({pandoc.Str('Proof.')})}, pandoc.Attr('', {'proof-title'})),
                               pandoc.Space()})
  local first = div.content[1]
  if first and first.t == 'Para' then
    first.content = head .. first.content
    div.content[1] = first
  else div.content:insert(1, pandoc.Para(head)) end
  if not html then tombstone(div.content) end
  return div
end

local function callout(div)
  local title = lead(div, 'callout-title')
  local collapse = div.attributes.collapse
  div.attributes.collapse, div.attributes.appearance, div.attributes.icon = nil, nil, nil
  div.classes:insert('callout')
  local body = pandoc.Div(div.content, pandoc.Attr('', {'callout-body'}))
  if not (html and collapse) then
    div.content = pandoc.Blocks({titled('callout-title', title), body})
    return div
  end
  return {raw(('<details class="%s"%s%s><summary class="callout-title">%s</summary>'):format(
    table.concat(div.classes, ' '), div.identifier ~= '' and ' id="' .. div.identifier .. '"' or '',
    collapse == 'false' and ' open' or '', write_inlines(title))), body, raw('</details>')}
end

local function tabset(div)
  if not html then return nil end
  local out = pandoc.Blocks({raw('<dl-tabs>')})
  for _, panel in ipairs(div.content) do
    local title = lead(panel, 'tab-title')
    local name = stringify(title):gsub('[&<>"]', {['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;', ['"'] = '&quot;'})
    out:insert(raw(('<section class="tab-panel" aria-label="%s"><p class="tab-title">%s</p>'):format(
      name, write_inlines(title))))
    out:extend(panel.content)
    out:insert(raw('</section>'))
  end
  out:insert(raw('</dl-tabs>'))
  return out
end

local function code(el)
  local fold = el.attributes['code-fold']
  el.attributes['code-fold'] = nil
  if not html or not fold or fold == 'false' then return el end
  local summary = el.attributes['code-summary'] or 'Code'
  el.attributes['code-summary'] = nil
  return {raw(('<details class="cell-fold"%s><summary>%s</summary>'):format(fold == 'show' and ' open' or '',
    (summary:gsub('[&<]', {['&'] = '&amp;', ['<'] = '&lt;'})))), el, raw('</details>')}
end

local function div(el)
  if el.classes:includes('dl-mark') then return html and {} or nil end
  if el.classes:includes('theorem') then return theorem(el) end
  if el.classes:includes('proof') then return proof(el) end
  if el.classes:includes('panel-tabset') then return tabset(el) end
  for _, class in ipairs(el.classes) do
    if CALLOUTS[class] then return callout(el) end
  end
end

-- ---- what the template needs ---------------------------------------------------------------------------------------

local function description(blocks)
  for _, block in ipairs(blocks) do
    if block.t == 'Para' and #plain(block.content) > 40 then return plain(block.content) end
  end
  return ''
end

local function write_page(path, blocks)
  local file = assert(io.open(path, 'wb'))
  file:write(pandoc.json.encode({headings = headings, description = description(blocks)}))
  file:close()
end

function Pandoc(doc)
  html = not doc.meta['dl-refs']
  refs = html and open_places() or read_json(stringify(doc.meta['dl-refs']))
  doc.blocks = doc.blocks:walk({Cite = cite, Link = link, Header = header, Figure = caption, Table = caption,
                                Span = equation, CodeBlock = code, Div = div})
  if html then write_page(stringify(doc.meta['dl-page']), doc.blocks) end
  return doc
end
