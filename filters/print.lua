-- Embedded engine, PDF and EPUB: after embedded.lua, give numbers, boxes and equations the form of the format.
-- Meta dl-target is "typst" or "epub"; dl-files is the folder of the page's figures, dl-sources that of its source.

local stringify = pandoc.utils.stringify
local typst, files, sources

local BOXES = {'theorem', 'check', 'reading', 'callout', 'outcomes', 'prerequisites', 'explorable', 'page-foot',
               'page-facts', 'exercise-fold', 'quiz-question', 'cell-output'}

local function raw(text) return pandoc.RawBlock('typst', text) end
local function raw_inline(text) return pandoc.RawInline('typst', text) end

local function quoted(text) return '"' .. text:gsub('[\\"]', '\\%0') .. '"' end

--- A Typst label, where the id can be one.
local function anchor(id) return id:match('^[%a_][%w_.:-]*$') and ' <' .. id .. '>' or '' end

local function written(blocks)
  return (pandoc.write(pandoc.Pandoc(blocks), 'typst', {wrap_text = 'none'}):gsub('%s+$', ''))
end

local function header(el)
  local number = el.attributes.number or ''
  el.attributes.number = nil
  if not typst then
    if number ~= '' then el.content:insert(1, pandoc.Str(number .. '\u{2002}')) end
    return el
  end
  local numbering = number ~= '' and '(..n) => ' .. quoted(number) or 'none'
  return raw(('#heading(level: %d, numbering: %s)[%s]%s'):format(
    el.level, numbering, written({pandoc.Plain(el.content)}), anchor(el.identifier)))
end

local function equation(el)
  local number = '(' .. el.attributes.number .. ')'
  el.attributes.number = nil
  if not typst then
    el.content:insert(pandoc.Span({pandoc.Str(number)}, pandoc.Attr('', {'equation-number'})))
    return el
  end
  return raw_inline(('#[#set math.equation(numbering: (..n) => %s)\n%s%s\n]'):format(
    quoted(number), written({pandoc.Plain(el.content)}), anchor(el.identifier)))
end

local function span(el)
  if el.classes:includes('equation') and el.attributes.number then return equation(el) end
  if el.classes:includes('quiz-number') then return pandoc.Strong({pandoc.Str(stringify(el) .. '.')}) end
  if el.classes:includes('quiz-ask') then return pandoc.Emph(el.content) end
  if el.classes:includes('caption-label') or el.classes:includes('theorem-number') then
    return pandoc.Strong(el.content)
  end
end

local function box(el)
  if el.classes:includes('box-title') or el.classes:includes('callout-title') or el.classes:includes('theorem-title')
    or el.classes:includes('tab-title') then
    return typst and {raw('#dl-title['), el.content[1], raw(']')} or nil
  end
  if not typst then return nil end
  if el.classes:includes('exercise-fold') then
    el.content:insert(1, pandoc.Para({pandoc.Strong({pandoc.Str((el.attributes.title or 'Solution') .. '.')})}))
  end
  if anchor(el.identifier) == '' then el.identifier = '' end
  for _, name in ipairs(BOXES) do
    if el.classes:includes(name) then
      el.content:insert(1, raw(('#dl-box(%s)['):format(quoted(name))))
      el.content:insert(raw(']'))
      return el
    end
  end
  return el
end

--- Pictures by their place in the project; links that lead nowhere outside the site become text.
local function image(el)
  local path = el.src
  if path:match('^%a+:') then return nil end
  local figure = files .. '/' .. path
  local file = io.open(figure, 'rb')
  if file then file:close() end
  el.src = file and figure or pandoc.path.normalize(sources .. '/' .. path)
  return el
end

local function link(el)
  if el.target:match('^#') or el.target:match('^%a[%w+.-]*:') then return nil end
  return el.content
end

function Pandoc(doc)
  typst = stringify(doc.meta['dl-target']) == 'typst'
  files, sources = stringify(doc.meta['dl-files']), stringify(doc.meta['dl-sources'])
  return doc:walk({Span = span, Image = image, Link = link}):walk({Header = header, Div = box})
end
