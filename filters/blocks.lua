-- The book's own blocks: .check, .reading, .quiz, .exercises, .explorable, .glossary; terms; marks of exported cells; waivers; alt text.
-- Runs after page.lua on either engine. A fault is a line on stderr: dlbook-problem, cell, message (tab-separated).

local stringify = pandoc.utils.stringify
local chapter, root, module, target
local here = ''            -- the notebook cell that the walk is in
local scripts = {}         -- explorables whose script the page already has

local function problem(message)
  io.stderr:write('dlbook-problem\t', here, '\t', (message:gsub('%s+', ' ')), '\n')
end

local function html() return target:match('html') ~= nil end

local function has(block, class) return block and block.t == 'Div' and block.classes:includes(class) end

local function read(path)
  local file = io.open(root .. '/' .. path, 'rb')
  if not file then return nil end
  local text = file:read('a')
  file:close()
  return text
end

local function title(text) return pandoc.Div({pandoc.Plain(pandoc.Inlines(text))}, pandoc.Attr('', {'box-title'})) end

local function raw(text) return pandoc.RawBlock('html', text) end

--- A folded part: <details> in html, all of it elsewhere.
local function fold(div, summary)
  if not html() then return nil end
  local blocks = pandoc.Blocks({raw(('<details class="%s"><summary>%s</summary>'):format(
    table.concat(div.classes, ' '), (summary:gsub('[&<>]', {['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;'}))))})
  blocks:extend(div.content)
  blocks:insert(raw('</details>'))
  return blocks
end

-- ---- checks: the code cell that follows goes into the box ----------------------------------------------------------

--- The position of the code cell that directly follows position i, with only cell marks between.
local function next_cell(list, i)
  repeat i = i + 1 until not has(list[i], 'dl-mark')
  return has(list[i], 'cell') and i or nil
end

local function checked(list)
  local out, i = pandoc.Blocks({}), 1
  while i <= #list do
    local block = list[i]
    if has(block, 'dl-mark') then here = block.attributes.cell end
    if has(block, 'check') then
      local last = next_cell(list, i)
      if not last then problem('a .check has no code cell directly after it; add the cell that would fail') end
      block = block:clone()
      block.content:insert(1, title('Checked'))
      for j = i + 1, last or i do block.content:insert(list[j]) end
      i = last or i
    end
    out:insert(block)
    i = i + 1
  end
  return out
end

-- ---- parts that the press compiled ---------------------------------------------------------------------------------

local function compiled(div, folder, source)
  local text = chapter and read('_build/' .. folder .. '/' .. chapter .. '.md')
  if not text and chapter and read(source) then
    problem(('%s is there and _build/%s/%s.md is not; run dlbook build'):format(source, folder, chapter))
  end
  div.content = text and pandoc.read(text, 'markdown').blocks or {}
  return div
end

local function glossary(div)
  local text = read('_build/glossary/terms.md')
  if not text then problem('_build/glossary/terms.md is missing; run dlbook build') end
  div.content = pandoc.read(text or '', 'markdown').blocks
  return div
end

-- ---- explorables ---------------------------------------------------------------------------------------------------

local function data(div)
  local name = div.attributes.data
  if not name then return '' end
  local text = read('chapters/' .. pandoc.path.directory(chapter) .. '/' .. name)
  if not text then problem(('the explorable\'s data %s is not there; the chapter writes it when it runs'):format(name)) end
  return ('<script type="application/json">%s</script>'):format(((text or 'null'):gsub('<', '\\u003c')))
end

--- The explorable's module, once on a page; Quarto, which takes a <table in a script for a table, gets it for the end.
local function script(name)
  local source = read('theme/explorables/' .. name .. '.js')
  if not source then problem(('explorable %s has no theme/explorables/%s.js'):format(name, name)) end
  if not source or scripts[name] then return '' end
  scripts[name] = true
  local text = '<script type="module">\n' .. source:gsub('</script', '<\\/script') .. '\n</script>'
  if not quarto then return text end
  quarto.doc.include_text('after-body', text)
  return ''
end

local function explorable(div)
  local name = div.attributes.name or ''
  if not name:match('^[%w-]+$') then problem('an .explorable needs a name="…" of letters, digits and hyphens') return end
  if not html() then return nil end
  local element = 'dl-' .. name
  return {raw('<' .. element .. ' class="explorable">'),
          pandoc.Div(div.content, pandoc.Attr('', {'explorable-fallback'})),
          raw(data(div) .. '</' .. element .. '>'), raw(script(name))}
end

--- A term where it is defined: a place of its own, and a way to its entry where the book has a glossary.
local function term(span)
  if not span.classes:includes('term') then return nil end
  local words = span.attributes.name or stringify(span)
  local slug = words:lower():gsub('[^a-z0-9]+', '-'):gsub('^%-', ''):gsub('%-$', '')
  local content = pandoc.Inlines({pandoc.Strong(span.content)})
  if chapter and read('glossary.qmd') then
    local url = ('../'):rep(select(2, chapter:gsub('/', '')) + 1) .. 'glossary.qmd#entry-' .. slug
    content = pandoc.Inlines({pandoc.Link(content, url, '', pandoc.Attr('', {'xref', 'term-link'}))})
  end
  return pandoc.Span(content, pandoc.Attr('term-' .. slug, {'dfn', 'term'}))
end

-- ---- cells ---------------------------------------------------------------------------------------------------------

--- The first public name that a cell defines.
local function defined(div)
  local name
  div:walk({CodeBlock = function(code)
    for line in (code.text .. '\n'):gmatch('(.-)\n') do
      name = name or line:match('^def ([%a][%w_]*)') or line:match('^class ([%a][%w_]*)')
    end
  end})
  return name
end

local function up() return ('../'):rep(select(2, chapter:gsub('/', '')) + 1) end

local function exported(div)
  if not module then problem('exports its code, and the notebook has no #| default_exp') return end
  local name = defined(div)
  local url = up() .. 'api/' .. module .. '.html' .. (name and '#' .. name or '')
  local text = 'dlbook.' .. module .. (name and '.' .. name or '')
  div.content:insert(pandoc.Div({pandoc.Plain({pandoc.Str('Exported as'), pandoc.Space(),
    pandoc.Link({pandoc.Code(text)}, url)})}, pandoc.Attr('', {'cell-module'})))
end

local function cell(div)
  if html() and div.attributes.export == 'true' then exported(div) end
  if div.attributes.waive then
    local given = div.attributes.waive                                       -- Quarto hands over a list as JSON
    local list = given:match('^%[') and pandoc.json.decode(given, false)
    local text = pandoc.Inlines('Figure audit waived here – ' .. (list and table.concat(list, '; ') or given))
    div.content:insert(pandoc.Div({pandoc.Plain(text)}, pandoc.Attr('', {'figure-waiver'})))
  end
  div:walk({Image = function(image)
    if not (image.attributes['fig-alt'] or image.attributes.alt) then
      problem('its figure has no alt text; add #| fig-alt: "what a sighted reader sees"')
    end
  end})
  return div
end

--- An image of the text needs words; Quarto gives its caption to no screen reader unless it is the alt text too.
local function alt(image)
  local given = image.attributes['fig-alt'] or image.attributes.alt
  local caption = stringify(image.caption)
  if caption == '' and not given then
    problem(('the image %s has no alt text; write ![what it shows](%s)'):format(image.src, image.src))
  elseif quarto and not given then
    image.attributes['fig-alt'] = caption
    return image
  end
end

--- The text brings no script of its own; what moves is an .explorable, whose source is kept apart and tested.
local function no_script(el)
  if el.format == 'html' and el.text:lower():match('<%s*script') then
    problem('its text has a <script>; make it an .explorable')
  end
end

-- ---- the walk ------------------------------------------------------------------------------------------------------

local kinds = {
  {'check', function(div) return div end},
  {'reading', function(div) div.content:insert(1, title('Reading this figure')) return div end},
  {'quiz', function(div) return compiled(div, 'quizzes', 'quizzes/' .. (chapter or '') .. '.yml') end},
  {'glossary', glossary},
  {'exercises', function(div) return compiled(div, 'exercises', 'exercises/' .. (chapter or '') .. '.ipynb') end},
  {'quiz-question', function(div) div.classes:insert('question') return div end},
  {'quiz-answer', function(div) return fold(div, 'Answer and feedback') end},
  {'quiz-fragments', function() if not html() then return {} end end},
  {'exercise-fold', function(div) return fold(div, div.attributes.title or 'Solution') end},
  {'explorable', explorable},
  {'cell', cell},
}

local function block(div)
  if div.classes:includes('dl-mark') then here = div.attributes.cell end
  for _, kind in ipairs(kinds) do
    if div.classes:includes(kind[1]) then return kind[2](div) end
  end
end

local function text(value) return value and stringify(value) end

function Pandoc(doc)
  chapter, root, module = text(doc.meta['dl-chapter']), text(doc.meta['dl-root']), text(doc.meta['dl-module'])
  root = root or quarto and quarto.project.directory or '.'
  target = text(doc.meta['dl-target']) or FORMAT
  doc:walk({traverse = 'topdown', RawBlock = no_script, RawInline = no_script, Div = function(div)
    if div.classes:includes('dl-mark') then here = div.attributes.cell end
    if div.classes:includes('cell') then return nil, false end
  end})
  here = ''
  local walked = doc:walk({traverse = 'topdown', Blocks = checked, Div = block, Span = term})
  here = ''
  return walked:walk({traverse = 'topdown', Image = alt, Div = function(div)
    if div.classes:includes('dl-mark') then here = div.attributes.cell end
    if div.classes:includes('cell') then return nil, false end
  end})
end
