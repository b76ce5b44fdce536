import { problemCatalogue } from '@sidestage/contracts';

/** What each problem's `type` leads to. */
export const errorsPage = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Errors of the Sidestage API</title></head>
<body>
<h1>Errors</h1>
<table>
<thead><tr><th>code</th><th>status</th><th>meaning</th></tr></thead>
<tbody>
${Object.entries(problemCatalogue)
  .map(([code, { status, title }]) => `<tr id="${code}"><td>${code}</td><td>${status}</td><td>${title}</td></tr>`)
  .join('\n')}
</tbody>
</table>
</body>
</html>
`;

/** A page that lists the operations and tries them, without anything from elsewhere. */
export const docsPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sidestage API</title>
<link rel="stylesheet" href="/docs/docs.css">
</head>
<body>
<header>
<h1>Sidestage API</h1>
<label>Credential <input id="credential" type="password" autocomplete="off" placeholder="access token or sk_..."></label>
<a href="/openapi.json">openapi.json</a>
</header>
<main id="operations"><p>Loading</p></main>
<script src="/docs/docs.js"></script>
</body>
</html>
`;

export const docsStyle = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 0 1rem 4rem; }
header { display: flex; flex-wrap: wrap; gap: 1rem; align-items: baseline; }
h1 { margin-right: auto; }
details { border: 1px solid #8884; border-radius: 6px; margin: .4rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; }
summary code { font-weight: 600; }
.method { display: inline-block; min-width: 4.5rem; text-transform: uppercase; font: 600 .8rem monospace; }
input, textarea { font: inherit; box-sizing: border-box; }
textarea { width: 100%; min-height: 9rem; font: .9rem monospace; }
pre { overflow: auto; background: #8881; padding: .6rem; border-radius: 6px; max-height: 30rem; }
.field { display: flex; gap: .6rem; margin: .3rem 0; }
.field span { min-width: 10rem; }
`;

export const docsScript = `
'use strict';
const make = (tag, fields, ...children) => {
  const element = Object.assign(document.createElement(tag), fields);
  element.append(...children);
  return element;
};

const sample = (schema) => {
  if (!schema) return null;
  if ('default' in schema) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.const !== undefined) return schema.const;
  if (schema.anyOf) return sample(schema.anyOf[0]);
  if (schema.type === 'object') {
    const needed = schema.required || [];
    return Object.fromEntries(needed.map((name) => [name, sample((schema.properties || {})[name])]));
  }
  return { array: [], string: '', integer: 1, number: 1, boolean: true }[schema.type] ?? null;
};

const show = (path, method, operation, resolve) => {
  const parameters = operation.parameters.map(resolve);
  const inputs = parameters.map((parameter) => [parameter, make('input', { name: parameter.name })]);
  const schema = operation.requestBody && operation.requestBody.content['application/json'].schema;
  const body = schema && make('textarea', { value: JSON.stringify(sample(schema), null, 2) });
  const output = make('pre', { textContent: 'No answer yet' });
  const send = async () => {
    let address = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const [parameter, input] of inputs) {
      if (parameter.in === 'path') address = address.replace('{' + parameter.name + '}', encodeURIComponent(input.value));
      else if (input.value && parameter.in === 'query') query.set(parameter.name, input.value);
      else if (input.value) headers[parameter.name] = input.value;
    }
    const credential = document.getElementById('credential').value;
    if (credential) headers.Authorization = 'Bearer ' + credential;
    if (body) headers['Content-Type'] = 'application/json';
    const response = await fetch(address + (query.size ? '?' + query : ''), {
      method: method.toUpperCase(), headers, body: body ? body.value : undefined,
    });
    const text = await response.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch {}
    output.textContent = response.status + ' ' + response.statusText + '\\n\\n' + shown;
  };
  const button = make('button', { textContent: 'Send' });
  button.addEventListener('click', () => send().catch((error) => { output.textContent = String(error); }));
  const details = make('details', {},
    make('summary', {}, make('span', { className: 'method', textContent: method }), make('code', { textContent: path }), ' ' + operation.summary),
    make('p', { textContent: operation.description || '' }),
    ...inputs.map(([parameter, input]) => make('label', { className: 'field' }, make('span', { textContent: parameter.name + ' (' + parameter.in + ')' }), input)),
    ...(body ? [body] : []), button, output,
    make('pre', { textContent: Object.entries(operation.responses).map(([status, answer]) => status + '  ' + answer.description).join('\\n') }));
  return details;
};

fetch('/openapi.json').then((response) => response.json()).then((api) => {
  const resolve = (parameter) => parameter.$ref ? api.components.parameters[parameter.$ref.split('/').pop()] : parameter;
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0];
      groups.set(tag, [...(groups.get(tag) || []), show(path, method, operation, resolve)]);
    }
  const sections = [...groups].map(([tag, operations]) => make('section', {}, make('h2', { textContent: tag }), ...operations));
  document.getElementById('operations').replaceChildren(...sections);
});
`;
