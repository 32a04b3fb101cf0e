-- What every chapter shows around its text: outcomes, prerequisites, times and downloads after the title; at the end the
-- record of its execution. Facts come from _build/pages/<chapter>.json, which the press writes before an engine runs.

local stringify = pandoc.utils.stringify

--- The chapter's id ("foundations/perceptron") and the book's root folder; nil on a page that is no chapter.
local function place(meta)
  if meta['dl-root'] then
    return meta['dl-chapter'] and stringify(meta['dl-chapter']), stringify(meta['dl-root'])
  end
  if not (quarto and quarto.project.directory) then return nil end
  local root = quarto.project.directory
  return pandoc.path.make_relative(quarto.doc.input_file, root):match('^chapters/(.+)%.ipynb$'), root
end

local function read_json(path)
  local file = io.open(path, 'rb')
  if not file then return nil end
  local text = file:read('a')
  file:close()
  return pandoc.json.decode(text, false)
end

local function box(class, blocks) return pandoc.Div(blocks, pandoc.Attr('', {class})) end

local function title(text) return box('box-title', {pandoc.Plain(pandoc.Str(text))}) end

local function inlines(value)
  if pandoc.utils.type(value) == 'Inlines' then return value end
  if pandoc.utils.type(value) == 'Blocks' then return pandoc.utils.blocks_to_inlines(value) end
  return pandoc.Inlines(stringify(value))
end

local function outcomes(meta)
  local items = pandoc.List()
  for _, outcome in ipairs(meta.outcomes or {}) do items:insert({pandoc.Plain(inlines(outcome.text))}) end
  if #items == 0 then return {} end
  return {box('outcomes', {title('What you will be able to do'), pandoc.BulletList(items)})}
end

local function prerequisites(meta)
  local items = pandoc.List()
  for _, item in ipairs(meta.prerequisites or {}) do items:insert({pandoc.Plain(inlines(item))}) end
  if #items == 0 then return {} end
  return {box('prerequisites', {title('What this builds on'), pandoc.BulletList(items)})}
end

local function times(facts)
  local parts = pandoc.List({('Reading time %d min'):format(facts.minutes)})
  for _, run in ipairs(facts.runs) do parts:insert(('runs in %s on %s'):format(run.time, run.device)) end
  return {box('times', {pandoc.Para(pandoc.Inlines(table.concat(parts, ' · ')))})}
end

local function downloads(facts, html)
  if not html or #facts.downloads == 0 then return {} end
  local list = pandoc.List(facts.downloads):map(function(item)
    return {pandoc.Plain(pandoc.Link(item.text, item.url, '', item.external and {} or {download = item.name}))}
  end)
  return {box('downloads', {title('Take it with you'), pandoc.BulletList(list)})}
end

local function foot(facts)
  local run = facts.record
  if not run then return {} end
  local versions = pandoc.List(run.versions):map(function(item)
    return {pandoc.Inlines(item.name), {{pandoc.Plain(pandoc.Inlines(item.version))}}}
  end)
  return {box('page-foot', {title('How this page was made'), pandoc.Para(pandoc.Inlines(run.sentence)),
                            pandoc.DefinitionList(versions)})}
end

--- Everything that stands between the title and the text.
local function head(meta, facts, html)
  local blocks = pandoc.Blocks({})
  for _, part in ipairs({times(facts), outcomes(meta), prerequisites(meta), downloads(facts, html)}) do
    blocks:extend(part)
  end
  return pandoc.Div(blocks, pandoc.Attr('', {'page-head'}))
end

--- The place after the title: behind the first level-one heading where the body has one, else the beginning.
local function after_title(blocks)
  for i, block in ipairs(blocks) do
    if block.t == 'Header' and block.level == 1 then return i + 1 end
  end
  return 1
end

function Pandoc(doc)
  local chapter, root = place(doc.meta)
  if not chapter then return doc end
  local facts = read_json(root .. '/_build/pages/' .. chapter .. '.json')
  if not facts then
    error('_build/pages/' .. chapter .. '.json is missing; run dlbook render --engine quarto, which writes it first')
    os.exit(1)                                             -- Quarto's error() only logs
  end
  local target = doc.meta['dl-target'] and stringify(doc.meta['dl-target']) or FORMAT
  doc.blocks:insert(after_title(doc.blocks), head(doc.meta, facts, target:match('html') ~= nil))
  doc.blocks:extend(foot(facts))
  doc.meta['dl-chapter'], doc.meta['dl-root'] = chapter, root
  doc.meta['dl-module'] = facts.module
  doc.meta.outcomes, doc.meta.prerequisites = nil, nil
  return doc
end
