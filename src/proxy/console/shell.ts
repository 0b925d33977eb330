import { createHash } from 'node:crypto';
import { extname } from 'node:path';

/** Sources are TypeScript in a checkout, and JavaScript in the package. */
export const scriptEnding = extname(import.meta.url);

/** The libraries of the page, by the names that its modules import. */
const imports = {
  preact: './files/lib/preact.js',
  'preact/hooks': './files/lib/preact-hooks.js',
  htm: './files/lib/htm.js',
  'htm/preact': './files/lib/htm-preact.js',
  uplot: './files/lib/uplot.js',
} as const;

const importMap = JSON.stringify({ imports });
const hash = createHash('sha256').update(importMap).digest('base64');

/**
 * Nothing but what this server sends. The import map is the only text within the page that counts
 * as a script, by its hash: browsers read none from a file.
 */
export const contentSecurityPolicy = [
  "default-src 'none'",
  `script-src 'self' 'sha256-${hash}'`,
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The page itself, which is empty until its script runs. */
export const shell = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Quayside</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="./files/icon.svg">
<link rel="stylesheet" href="./files/lib/uplot.css">
<link rel="stylesheet" href="./files/console.css">
<script type="importmap">${importMap}</script>
<script type="module" src="./files/main${scriptEnding}"></script>
</head>
<body>
<div id="page"></div>
<noscript>This page needs JavaScript. quayside status and quayside explain say the same.</noscript>
</body>
</html>
`;
