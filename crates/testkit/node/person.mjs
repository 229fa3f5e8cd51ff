// A person with a browser: goes to an address, follows where it leads, fills in forms, and says what they saw.
//
//   node person.mjs URL [name] [yes|no|look] [--until PATTERN] [--jar FILE] [--posting]
//
// With `--posting` another site has the browser post the form that is read from standard input.
// A page with a field called `login` is filled in with the name; one that asks for `answer` is answered, or with `look` only read; of links that
// look like buttons the first is taken. `--until` stops before an address that matches, and prints it. Cookies are kept by
// host, as browsers keep them, in the file where one is given.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const options = { until: undefined, jar: undefined, posting: false };
const words = [];
for (let i = 2; i < process.argv.length; i += 1) {
  const word = process.argv[i];
  if (word === '--until') options.until = new RegExp(process.argv[(i += 1)]);
  else if (word === '--posting') options.posting = true;
  else if (word === '--jar') options.jar = process.argv[(i += 1)];
  else words.push(word);
}
const [start, name = 'dana', answer = 'yes'] = words;
const jar = options.jar && existsSync(options.jar) ? JSON.parse(readFileSync(options.jar)) : {};

function unescaped(text) {
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, '&');
}

function attributes(tag) {
  const found = {};
  for (const [, key, , value] of tag.matchAll(/([a-z-]+)=("([^"]*)")/gi)) found[key] = unescaped(value);
  return found;
}

async function visit(url, method, body, from) {
  const here = new URL(url);
  const site = !from ? 'none' : new URL(from).origin === here.origin ? 'same-origin' : 'cross-site';
  const headers = {
    'sec-fetch-dest': 'document',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-site': site,
    // SameSite=Lax: what another site posts comes without cookies.
    cookie: method === 'POST' && site === 'cross-site' ? '' : Object.entries(jar[here.hostname] ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join('; '),
  };
  if (method === 'POST') {
    headers.origin = new URL(from).origin;
    headers['content-type'] = 'application/x-www-form-urlencoded';
  }
  const response = await fetch(url, { method, body, headers, redirect: 'manual' });
  for (const cookie of response.headers.getSetCookie()) {
    const [pair] = cookie.split(';');
    const at = pair.indexOf('=');
    const [key, value] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    jar[here.hostname] ??= {};
    if (value === '' || /expires=Thu, 01 Jan 1970/i.test(cookie)) delete jar[here.hostname][key];
    else jar[here.hostname][key] = value;
  }
  return response;
}

let next = { url: start, method: 'GET' };
let from;
if (options.posting) {
  next = { url: start, method: 'POST', body: readFileSync(0, 'utf8') };
  from = 'https://elsewhere.example/';
}
for (let steps = 0; steps < 30; steps += 1) {
  if (options.until?.test(next.url)) {
    console.log(JSON.stringify({ stopped: next.url }));
    break;
  }
  const response = await visit(next.url, next.method, next.body, from);
  const location = response.headers.get('location');
  if (location) {
    from = next.url;
    next = { url: new URL(location, next.url).href, method: 'GET' };
    continue;
  }
  const html = await response.text();
  const form = html.match(/<form[\s\S]*?<\/form>/i)?.[0];
  const link = html.match(/<a class="button" href="([^"]*)"/i)?.[1];
  from = next.url;
  const asked = form && /name="answer"/.test(form);
  if (form && response.ok && !(asked && answer === 'look') && (/name="(login|prompt|answer)"/.test(form))) {
    const { action, method = 'get' } = attributes(form.match(/<form[^>]*>/i)[0]);
    const fields = new URLSearchParams();
    for (const [tag] of form.matchAll(/<input[^>]*>/gi)) {
      const input = attributes(tag);
      if (input.name === 'login') fields.set('login', name);
      else if (input.name === 'password') fields.set('password', 'x');
      else if (input.name) fields.set(input.name, input.value ?? '');
    }
    if (asked) fields.set('answer', answer);
    const url = new URL(action ?? next.url, next.url);
    next =
      method.toLowerCase() === 'post'
        ? { url: url.href, method: 'POST', body: fields.toString() }
        : { url: `${url.href}?${fields}`, method: 'GET' };
    continue;
  }
  if (link && response.ok) {
    next = { url: new URL(unescaped(link), next.url).href, method: 'GET' };
    continue;
  }
  const title = html.match(/<title>([\s\S]*?)<\/title>/i)?.[1].trim() ?? '';
  const text = unescaped(html.replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim();
  console.log(JSON.stringify({ status: response.status, url: next.url, title, text }));
  break;
}
if (options.jar) writeFileSync(options.jar, JSON.stringify(jar));
