// SPDX-License-Identifier: MPL-2.0
// Looks at pages in chromium, each wide and narrow, light and dark: a picture of each, what axe-core objects to, and whether
// the page is wider than the screen. Needs nothing but node: chromium is spoken to over a pipe.
//
//   node scripts/axe.mjs AXE.min.js FOLDER PAGE.html…     pictures go to FOLDER; exits with 1 on anything above "minor"
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';

const WIDTHS = [1400, 420];
const SCHEMES = ['light', 'dark'];
const TALLEST = 12000;
const GRAVE = ['moderate', 'serious', 'critical'];

const [axePath, folder, ...pages] = process.argv.slice(2);
if (!pages.length) {
  console.error('usage: node scripts/axe.mjs AXE.min.js FOLDER PAGE.html…');
  process.exit(2);
}
const axe = readFileSync(axePath, 'utf8');
const profile = mkdtempSync(join(tmpdir(), 'andon-axe-'));
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = spawn(
  chromium,
  ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--remote-debugging-pipe', `--user-data-dir=${profile}`],
  { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
);
browser.on('error', (error) => { console.error(`${chromium}: ${error.message}`); process.exit(2); });

// The protocol: JSON documents, each ended by a zero byte.
let last = 0, unread = '';
const answers = new Map(), heard = [];
browser.stdio[4].setEncoding('utf8').on('data', (text) => {
  const whole = (unread + text).split('\0');
  unread = whole.pop();
  for (const message of whole.map((m) => JSON.parse(m))) {
    const answer = answers.get(message.id);
    if (answer) {
      answers.delete(message.id);
      message.error ? answer.reject(new Error(message.error.message)) : answer.resolve(message.result);
    } else {
      for (const h of heard.filter((h) => h.method === message.method && h.sessionId === message.sessionId)) h.resolve();
    }
  }
});
const send = (method, params = {}, sessionId) => new Promise((resolve, reject) => {
  answers.set(++last, { resolve, reject });
  browser.stdio[3].write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
});
const event = (method, sessionId) => new Promise((resolve) => heard.push({ method, sessionId, resolve }));

async function look(page, width, scheme) {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  const on = (method, params) => send(method, params, sessionId);
  const run = async (expression) => {
    const { result, exceptionDetails } = await on('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  await on('Page.enable');
  await on('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: width < 700 });
  await on('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  const loaded = event('Page.loadEventFired', sessionId);
  await on('Page.navigate', { url: pathToFileURL(resolve(page)).href });
  await loaded;
  const height = await run('document.documentElement.scrollHeight');
  const clip = { x: 0, y: 0, width, height: Math.min(height, TALLEST), scale: 1 };
  const { data } = await on('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip });
  writeFileSync(join(folder, `${basename(page, '.html')}-${width}-${scheme}.png`), Buffer.from(data, 'base64'));
  // What is folded is read, too.
  await run(`document.querySelectorAll('details').forEach((d) => { d.open = true })`);
  await run(axe);
  const found = await run(`axe.run(document).then(({ violations, passes }) => ({
    passes: passes.length,
    violations: violations.map((v) => ({ id: v.id, impact: v.impact, help: v.help,
      at: v.nodes.map((n) => n.target.join(' ') + ': ' + n.any.concat(n.all, n.none).map((c) => c.message).join('; ')) })) }))`);
  const wide = await run('document.documentElement.scrollWidth');
  if (wide > width) {
    found.violations.push({ id: 'wider-than-the-screen', impact: 'serious', help: `${wide} of ${width} pixels`, at: [] });
  }
  await send('Target.closeTarget', { targetId });
  return found;
}

let grave = 0;
console.log('page      width  scheme  passed  violations');
try {
  for (const page of pages) for (const width of WIDTHS) for (const scheme of SCHEMES) {
    const { passes, violations } = await look(page, width, scheme);
    const told = violations.map((v) => `${v.id} (${v.impact}, ${v.at.length})`).join(', ') || 'none';
    console.log(`${basename(page, '.html').padEnd(9)} ${String(width).padStart(5)}  ${scheme.padEnd(6)}  ${String(passes).padStart(6)}  ${told}`);
    for (const v of violations) {
      if (GRAVE.includes(v.impact)) grave += 1;
      console.log(`    ${v.id}: ${v.help}`);
      for (const at of v.at.slice(0, 5)) console.log(`      ${at}`);
    }
  }
} finally {
  await send('Browser.close').catch(() => {});
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
console.log(grave ? `${grave} violations above "minor"` : 'no violation above "minor"');
process.exit(grave ? 1 : 0);
