-- Embedded engine, PDF and EPUB: after embedded.lua, give headings, boxes, figures and formulas the form of the format.
-- Meta: dl-target "typst" or "epub"; dl-files and dl-sources, the folders of the page's figures and its source from the root;
-- dl-name the source's name; dl-slug the prefix of the page's own ids; dl-depth 1 within a part, else 0; dl-kind; dl-url.

local stringify = pandoc.utils.stringify
local typst, files, sources, name, slug, depth, kind, url
local here = ''

local TITLES = {'box-title', 'callout-title', 'theorem-title', 'tab-title'}
local BOXES = {'callout-note', 'callout-tip', 'callout-warning', 'callout-important', 'callout-caution', 'theorem', 'check',
               'reading', 'outcomes', 'prerequisites', 'explorable', 'page-foot', 'exercise-fold', 'quiz-question',
               'cell-output', 'times', 'figure-waiver', 'tab-panel', 'card', 'cover-lead'}
local AT_THE_END = {'quiz-answer', 'exercise-solution'}
local WEB_ONLY = {'web-only', 'cover-start', 'cover-second', 'downloads'}
local LABEL = {sec = true, fig = true, tbl = true, eq = true, thm = true, lem = true, def = true, exm = true, exr = true,
               cor = true, prp = true, ref = true, q = true, key = true, term = true, entry = true}

local function raw(text) return pandoc.RawBlock('typst', text) end
local function raw_inline(text) return pandoc.RawInline('typst', text) end

local function problem(message)
  io.stderr:write('dlbook-problem\t', here, '\t', (message:gsub('%s+', ' ')), '\n')
end

local function has_any(el, classes)
  for _, class in ipairs(classes) do
    if el.classes:includes(class) then return class end
  end
end

local function quoted(text) return '"' .. text:gsub('[\\"]', '\\%0'):gsub('%s+', ' ') .. '"' end

--- Ids are unique in the book: those that are no label of it carry the page's name.
local function unique(id)
  if id == '' or LABEL[id:match('^(%l+)%-') or ''] then return id end
  return slug .. '.' .. id
end

--- A Typst label after what it names.
local function label(id) return id ~= '' and ' <' .. id:gsub('[^%w_.:-]', '-') .. '>' or '' end

local function written(blocks)
  return (pandoc.write(pandoc.Pandoc(blocks), 'typst', {wrap_text = 'none'}):gsub('%s+$', ''))
end

local function written_inlines(content) return written({pandoc.Plain(content)}) end

-- ---- formulas ------------------------------------------------------------------------------------------------------

--- What Pandoc makes of a formula; a fault where it can make nothing of it.
local function formula(el)
  local format = typst and 'typst' or 'html5'
  local messages, text = pandoc.log.silence(function()
    return pandoc.write(pandoc.Pandoc({pandoc.Plain({el})}), format, {html_math_method = 'mathml', wrap_text = 'none'})
  end)
  if #messages > 0 then problem('the formula ' .. el.text .. ' cannot be set; use other TeX for it') end
  return (text:gsub('%s+$', ''))
end

local function math(el)
  local text = formula(el)
  if not typst then return nil end
  if el.mathtype == 'DisplayMath' then return raw_inline(('#dl-equation(%s, none, %s);'):format(quoted(el.text), text)) end
  return raw_inline(('#dl-math(%s, %s);'):format(quoted(el.text), text))
end

local function equation(el)
  local number = '(' .. el.attributes.number .. ')'
  el.attributes.number = nil
  if not typst then
    formula(el.content[1])
    el.content:insert(pandoc.Span({pandoc.Str(number)}, pandoc.Attr('', {'equation-number'})))
    return el, false
  end
  return raw_inline(('#dl-equation(%s, %s, %s)%s'):format(
    quoted(el.content[1].text), quoted(number), formula(el.content[1]), label(el.identifier))), false
end

-- ---- inlines -------------------------------------------------------------------------------------------------------

local function span(el)
  if has_any(el, WEB_ONLY) then return {}, false end
  if el.classes:includes('equation') and el.attributes.number then return equation(el) end
  if el.classes:includes('quiz-count') then return pandoc.Strong({pandoc.Str(stringify(el) .. '.')}) end
  if el.classes:includes('quiz-ask') then return pandoc.Emph(el.content) end
  if has_any(el, {'caption-label', 'theorem-number'}) then return pandoc.Strong(el.content) end
  if el.identifier == '' then return nil end
  el.identifier = unique(el.identifier)
  return el
end

--- The picture's file: a figure that the press wrote, or a file beside the source.
local function found(path)
  for _, try in ipairs({files .. '/' .. path, pandoc.path.normalize(sources .. '/' .. path)}) do
    local file = io.open(try, 'rb')
    if file then file:close() return try end
  end
  problem(('the image %s is not there'):format(path))
  return path
end

local function picture(el)
  return ('image(%s, alt: %s)'):format(quoted('/' .. el.src), quoted(stringify(el.caption)))
end

local function image(el)
  if el.src:match('^%a+:') then problem(('the image %s is on another host; keep a copy in the book'):format(el.src)) end
  el.src = found(el.src)
  return el
end

--- A link within the book says on which page, unless it is a number that leads there by itself; one out of the printed
--- book becomes text.
local function link(el)
  if has_any(el, WEB_ONLY) then return {}, false end
  if el.target:match('^%a[%w+.-]*:') then return nil end
  local id = el.target:match('^#(.+)$')
  if not id then return el.content end
  el.target = '#' .. unique(id)
  if typst and not has_any(el, {'xref', 'citation', 'footnote-ref'}) then
    return pandoc.Inlines({el, raw_inline(('#dl-on-page(<%s>);'):format(unique(id):gsub('[^%w_.:-]', '-')))})
  end
  return el
end

-- ---- headings ------------------------------------------------------------------------------------------------------

local function header(el)
  local number = el.attributes.number or ''
  el.attributes.number = nil
  el.identifier = unique(el.identifier)
  if kind == 'index' and el.level == 1 then el.content = pandoc.Inlines('Preface') end
  local role = el.level == 1 and 'chapter' or 'section'
  local listed = not (kind == 'index' and el.level > 1)
  el.level = el.level + depth
  if typst then
    return raw(('#dl-heading(%d, %s, %s, %s)[%s]%s'):format(el.level, quoted(role), quoted(number), listed,
      written_inlines(el.content), label(el.identifier)))
  end
  if not listed then el.level = el.level + 1 end       -- the preface stays one file
  if number ~= '' then el.content:insert(1, pandoc.Str(number .. '\u{2002}')) end
  if not listed then el.classes:insert('unlisted') end
  return el
end

-- ---- figures -------------------------------------------------------------------------------------------------------

--- A Typst figure around its pictures: "free" to move to a page that has room for it, "fixed" in its box, or in the "margin"
--- online and beside its caption on paper.
local function figure(el, form)
  if not typst then return nil end
  local pictures = pandoc.List()
  el.content:walk({Image = function(img) pictures:insert(picture(img)) end})
  if #pictures == 0 then return nil end
  local body = #pictures == 1 and pictures[1] or 'stack(spacing: 8pt, ' .. table.concat(pictures, ', ') .. ')'
  local caption = #el.caption.long > 0 and '[' .. written(el.caption.long) .. ']' or 'none'
  local id = unique(el.identifier):gsub('[^%w_.:-]', '-')
  return raw(('#dl-figure(%s, %s, %s, %s)'):format(quoted(id), quoted(id ~= '' and form or 'fixed'), body, caption))
end

local function lone_image(el)
  return typst and raw_inline('#box(' .. picture(el) .. ');') or nil
end

-- ---- boxes ---------------------------------------------------------------------------------------------------------

--- Take the title that leads the content.
local function lead(div)
  local first = div.content[1]
  if not (first and first.t == 'Div' and has_any(first, TITLES)) then return nil end
  div.content:remove(1)
  return first.content[1].content
end

local function boxed(class, title, content, id)
  local head = ('#dl-box(%s, %s)['):format(quoted(class), title and '[' .. written_inlines(title) .. ']' or 'none')
  local out = pandoc.Blocks({raw(head)})
  out:extend(content)
  out:insert(raw(']' .. label(id)))
  return out
end

--- A term stays on the page of its definition.
local function terms(list)
  local out = pandoc.Blocks({})
  for _, item in ipairs(list.content) do
    out:extend({raw('#block(breakable: false)['), pandoc.DefinitionList({item}), raw(']')})
  end
  return out
end

--- The versions at the foot of a chapter, in one line.
local function foot(div)
  return div:walk({DefinitionList = function(list)
    local parts = pandoc.List(list.content):map(function(item)
      return stringify(item[1]) .. ' ' .. stringify(item[2][1])
    end)
    return pandoc.Para(pandoc.Inlines(table.concat(parts, ' · ')))
  end})
end

--- What stands before an answer at the end of the book: its question's number, or its exercise's title.
local function with_lead(div)
  local title
  div:walk({Span = function(el) if el.classes:includes('quiz-count') then title = title or stringify(el) end end})
  title = title and pandoc.Inlines('Question ' .. title) or div.content[1].content[1].content
  return div:walk({Div = function(answer)
    if not has_any(answer, AT_THE_END) then return nil end
    answer.content:insert(1, pandoc.Div({pandoc.Plain(title)}, pandoc.Attr('', {'tab-title', 'answer-title'})))
    return answer
  end})
end

local function key_note(div)
  local some = false
  div:walk({Div = function(el) some = some or has_any(el, AT_THE_END) ~= nil end})
  if not some then return end
  local where = pandoc.Inlines({pandoc.Str('The'), pandoc.Space(), pandoc.Link('answers', '#key-' .. slug)})
  where:extend(pandoc.Inlines(' stand at the end of the book.'))
  div.content:insert(pandoc.Para({pandoc.Emph(where)}))
  return div
end

local function explorable(div)
  local place = pandoc.Inlines('It moves in the web edition: ')
  place:insert(pandoc.Code(url))
  place:insert(pandoc.Str('.'))
  div.content:insert(1, pandoc.Div({pandoc.Plain(pandoc.Inlines('Interactive'))}, pandoc.Attr('', {'box-title'})))
  div.content:insert(pandoc.Para({pandoc.Emph(place)}))
  div.attributes = {}
  return div
end

local function prepared(div)
  if div.classes:includes('explorable') then return explorable(div) end
  if div.classes:includes('page-foot') then return foot(div) end
  if has_any(div, {'quiz-question', 'theorem-exr'}) then return with_lead(div) end
  if has_any(div, {'quiz', 'exercises'}) then return key_note(div) end
  if div.classes:includes('exercise-fold') and not div.classes:includes('exercise-solution') then
    div.content:insert(1, pandoc.Div({pandoc.Plain(pandoc.Inlines(div.attributes.title or 'Hint'))},
                                     pandoc.Attr('', {'box-title'})))
    return div
  end
end

--- A div in Typst: a box with its title, or only its content behind its label.
local function block(div)
  if div.classes:includes('dl-mark') then return raw('// cell: ' .. name .. '\t' .. div.attributes.cell) end
  if has_any(div, TITLES) then return nil end
  local class, id = has_any(div, BOXES), unique(div.identifier)
  if has_any(div, AT_THE_END) then return nil end
  if class == 'theorem' and div.classes:includes('theorem-exr') then class = 'exercise' end
  if class then return boxed(class, lead(div), div.content, id) end
  if id ~= '' and not id:match('%.cell%-') then div.content:insert(1, raw('#metadata(none)' .. label(id))) end
  return div.content
end

local function leftover_title(div)
  if has_any(div, TITLES) then return raw('#dl-title[' .. written_inlines(div.content[1].content) .. ']') end
end

--- The same in EPUB: only marks and ids change.
local function epub_block(div)
  if div.classes:includes('dl-mark') then return {} end
  div.identifier = unique(div.identifier)
  div.attributes = {}
  return div
end

--- Pandoc finds the file of a div's id when it splits the book, not that of a figure's or table's.
local function within_div(el)
  if el.identifier == '' then return nil end
  local id = unique(el.identifier)
  el.identifier = ''
  return pandoc.Div({el}, pandoc.Attr(id, el.t == 'Table' and {'table-frame'} or {}))
end

local WIDE = 28            -- signs: what a line of a telephone surely takes

--- A long formula between words may scroll in a frame of its own: no device breaks it.
local function wide_math(el)
  local signs = el.text:gsub('\\%a+', 'x'):gsub('[%s{}_^\\]', '')
  if el.mathtype == 'InlineMath' and utf8.len(signs) > WIDE then
    return pandoc.Span({el}, pandoc.Attr('', {'wide-math'}))
  end
end

local function forms(div)
  local box = has_any(div, BOXES)
  local form = div.classes:includes('column-margin') and 'margin' or box and box ~= 'cell-output' and 'fixed'
  if not form then return nil end
  return div:walk({Figure = function(el) return figure(el, form) end}), false
end

function Pandoc(doc)
  local function text(key) return doc.meta[key] and stringify(doc.meta[key]) or '' end
  typst, files, sources = text('dl-target') == 'typst', text('dl-files'), text('dl-sources')
  name, slug, kind, url = text('dl-name'), text('dl-slug'), text('dl-kind'), text('dl-url')
  depth = tonumber(text('dl-depth'))
  local blocks = doc.blocks:walk({traverse = 'topdown', Div = function(div)
    if div.classes:includes('dl-mark') then here = div.attributes.cell end
    if has_any(div, WEB_ONLY) then return {}, false end
    return prepared(div)
  end, Span = span, Math = math, Image = image, Link = link})
  blocks = blocks:walk({Header = header})
  if typst then
    blocks = blocks:walk({traverse = 'topdown', Div = forms})
    blocks = blocks:walk({Figure = function(el) return figure(el, 'free') end})
    blocks = blocks:walk({Image = lone_image, DefinitionList = terms}):walk({Div = block}):walk({Div = leftover_title})
  else
    blocks = blocks:walk({Div = epub_block}):walk({Figure = within_div, Table = within_div, Math = wide_math})
  end
  doc.blocks = blocks
  return doc
end
