-- Embedded engine, first pass: give every section, figure, table, equation, theorem and exercise its number, bring
-- titled blocks into one form, and write what the page defines and uses to a side file (meta dl-side). The numbers are
-- attributes (number="2.1") of the elements; filters/embedded.lua prints them.

local stringify = pandoc.utils.stringify
local number = ''          -- the chapter's number, '' on a page without one
local here = ''
local side = {labels = {}, ids = {}, links = {}, cites = {}}
local count = {}
local sections = {}
local seen = {}
local titled_page = false

local THEOREMS = {thm = true, lem = true, def = true, exm = true, exr = true, cor = true, prp = true}
local FLOATS = {fig = true, tbl = true}
local CALLOUTS = {note = true, tip = true, warning = true, important = true, caution = true}

local function problem(message)
  io.stderr:write('dlbook-problem\t', here, '\t', (message:gsub('%s+', ' ')), '\n')
end

local function kind(id) return id:match('^(%l%l%l?)%-') end

local function has(block, class) return block.t == 'Div' and block.classes:includes(class) end

local function dotted(n) return number ~= '' and number .. '.' .. n or tostring(n) end

--- The next number of a kind within the chapter.
local function next_number(name)
  count[name] = (count[name] or 0) + 1
  return dotted(count[name])
end

local function label(id, name, value, title)
  table.insert(side.labels, {id = id, kind = name, number = value, title = title or '', cell = here})
end

local function remember(id)
  if id ~= '' then table.insert(side.ids, {id = id, cell = here}) end
end

-- ---- sections ------------------------------------------------------------------------------------------------------

local function section_number(level)
  if level == 1 then sections = {} return number end
  for i = #sections + 1, level - 1 do sections[i] = 0 end
  for i = #sections, level, -1 do sections[i] = nil end
  sections[level - 1] = sections[level - 1] + 1
  return dotted(table.concat(sections, '.'))
end

--- Headings hold no raw html: their text goes into titles and navigation.
local function harmless(list)
  return list:walk({RawInline = function(el) return pandoc.Str(el.text) end})
end

local function unique(id)
  if kind(id) == 'sec' or kind(id) == 'exr' or not seen[id] then return id end
  local n = 1
  while seen[id .. '-' .. n] do n = n + 1 end
  return id .. '-' .. n
end

local function header(el)
  el.content = harmless(el.content)
  el.identifier = unique(el.identifier)
  seen[el.identifier] = true
  titled_page = titled_page or el.level == 1
  if not el.classes:includes('unnumbered') then
    local value = section_number(el.level)
    if value ~= '' then el.attributes.number = value end
  end
  local name = kind(el.identifier)
  if name == 'sec' or el.level == 1 then
    label(el.identifier, 'sec', el.attributes.number or '', stringify(el.content))
  end
  remember(el.identifier)
  return el
end

-- ---- titled blocks -------------------------------------------------------------------------------------------------

--- Take the leading heading out of a div; its inlines are the title.
local function take_title(div)
  local first = div.content[1]
  if not (first and first.t == 'Header') then return nil end
  div.content:remove(1)
  return harmless(first.content)
end

local function titled(class, content) return pandoc.Div({pandoc.Plain(content)}, pandoc.Attr('', {class})) end

local function theorem(div, name)
  local title = take_title(div)
  local value = next_number(name)
  label(div.identifier, name, value, title and stringify(title))
  div.classes:extend({'theorem', 'theorem-' .. name})
  div.attributes.number = value
  if title then div.content:insert(1, titled('dl-title', title)) end
  return div
end

local function callout(div, name)
  local title = take_title(div) or (div.attributes.title and pandoc.Inlines(div.attributes.title))
    or pandoc.Inlines(name:sub(1, 1):upper() .. name:sub(2))
  div.attributes.title = nil
  div.content:insert(1, titled('callout-title', title))
  return div
end

--- One div per panel; a heading starts a panel.
local function tabset(div)
  local panels, level = pandoc.Blocks({}), nil
  for _, block in ipairs(div.content) do
    if block.t == 'Header' and (not level or block.level == level) then
      level = block.level
      panels:insert(pandoc.Div({titled('tab-title', harmless(block.content))}, pandoc.Attr('', {'tab-panel'})))
    elseif #panels > 0 then
      panels[#panels].content:insert(block)
    elseif not has(block, 'dl-mark') then
      problem('a .panel-tabset starts without a heading; each panel needs one')
    end
  end
  div.content = panels
  return div
end

-- ---- figures and tables --------------------------------------------------------------------------------------------

--- The last paragraph of a float's div is its caption.
local function take_caption(div)
  local last = div.content[#div.content]
  if last and last.t == 'Para' and #div.content > 1 then
    div.content:remove(#div.content)
    return {pandoc.Plain(last.content)}
  end
  return {}
end

local function figure_div(div)
  local caption = take_caption(div)
  local body = div.content:walk({Para = function(p) return pandoc.Plain(p.content) end,
    Figure = function(f) return f.content end})
  return pandoc.Figure(body, {long = caption}, div.attr)
end

--- Every table of the div joins it under its label; the first carries label and caption.
local function table_div(div)
  local caption = take_caption(div)
  local found = false
  local content = div.content:walk({Table = function(tbl)
    if found then return nil end
    found = true
    if #caption > 0 then tbl.caption = {long = caption} end
    tbl.identifier = div.identifier
    return tbl
  end})
  if not found then problem(div.identifier .. ' holds no table; the cell\'s last value must be a data frame') end
  div.identifier, div.content = '', content
  return div
end

local function numbered_float(el)
  local name = kind(el.identifier)
  if FLOATS[name] then
    el.attributes.number = next_number(name)
    label(el.identifier, name, el.attributes.number, stringify(el.caption.long))
  end
  remember(el.identifier)
  return el
end

-- ---- equations -----------------------------------------------------------------------------------------------------

local function displayed(el) return el.t == 'Math' and el.mathtype == 'DisplayMath' end

local function holds_display(list)
  for i = 1, #list do
    if displayed(list[i]) then return true end
  end
  return false
end

--- `$$…$$ {#eq-x}` becomes a numbered span around the formula.
local function equations(paragraph)
  local list = paragraph.content
  if not holds_display(list) then return nil end                     -- to hand a list back costs more than to look
  local out, i = pandoc.Inlines({}), 1
  while i <= #list do
    local el, mark, after = list[i], nil, nil
    if displayed(el) then
      local j = list[i + 1] and (list[i + 1].t == 'Space' or list[i + 1].t == 'SoftBreak') and i + 2 or i + 1
      if list[j] and list[j].t == 'Str' then mark, after = list[j].text:match('^{#(eq%-[%w_-]+)}(.*)$') end
      if mark then
        local value = next_number('eq')
        label(mark, 'eq', value)
        remember(mark)
        el = pandoc.Span({el}, pandoc.Attr(mark, {'equation'}, {number = value}))
        i = j
      end
    end
    out:insert(el)
    if after and after ~= '' then out:insert(pandoc.Str(after)) end
    i = i + 1
  end
  paragraph.content = out
  return paragraph
end

-- ---- the walk ------------------------------------------------------------------------------------------------------

local function div(el)
  if el.classes:includes('dl-mark') then here = el.attributes.cell return nil end
  local name = kind(el.identifier)
  if THEOREMS[name] then remember(el.identifier) return theorem(el, name) end
  if name == 'fig' and el.identifier:match('^fig%-') then return numbered_float(figure_div(el)) end
  if name == 'tbl' then return table_div(el) end
  remember(el.identifier)
  for _, class in ipairs(el.classes) do
    local what = class:match('^callout%-(%l+)$')
    if CALLOUTS[what] then return callout(el, what) end
  end
  if el.classes:includes('panel-tabset') then return tabset(el) end
end

--- Data frames arrive as html: the same table as Pandoc's own, for every format.
local function raw(el)
  if el.format == 'html' and el.text:match('^%s*<table') then return pandoc.read(el.text, 'html').blocks end
end

local function cite(el)
  for _, item in ipairs(el.citations) do table.insert(side.cites, {id = item.id, cell = here}) end
end

local function link(el) table.insert(side.links, {url = el.target, cell = here}) end

local function image(el) table.insert(side.links, {url = el.src, cell = here, image = true}) end

--- A figure's caption is walked before it is shown as alt text a second time: clear that copy.
local function figure(el)
  el.content = el.content:walk({Image = function(img)
    local text = img.attributes['fig-alt'] or img.attributes.alt or stringify(img.caption)
    img.attributes['fig-alt'], img.attributes.alt = nil, nil
    img.caption = pandoc.Inlines({pandoc.Str(text)})
    return img
  end})
  return numbered_float(el)
end

local function lone_image(el)
  local text = el.attributes['fig-alt'] or el.attributes.alt
  if text then el.caption = pandoc.Inlines({pandoc.Str(text)}) end
  el.attributes['fig-alt'], el.attributes.alt = nil, nil
  image(el)
  return el
end

function Pandoc(doc)
  number = doc.meta['dl-number'] and stringify(doc.meta['dl-number']) or ''
  doc.blocks = doc.blocks:walk({RawBlock = raw})
  doc.blocks = doc.blocks:walk({traverse = 'topdown', Div = div, Header = header, Figure = figure, Table = numbered_float,
    Para = equations, Plain = equations, Cite = cite, Link = link, Image = lone_image,
    Span = function(el) if not el.classes:includes('equation') then remember(el.identifier) end end})
  here = ''
  if not titled_page then problem('has no title; expected a heading # Title {#sec-…}') end
  local file = assert(io.open(stringify(doc.meta['dl-side']), 'wb'))
  file:write(pandoc.json.encode(side))
  file:close()
  return doc
end
