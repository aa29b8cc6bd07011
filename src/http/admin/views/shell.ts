// The empty page, which the script fills.

import { html } from 'hono/html';

/** `version` changes with script and style, which browsers cache permanently. */
export function renderShell(version: string): string {
  return String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>nds</title>
<link rel="icon" href="files/${version}/icon.svg">
<link rel="stylesheet" href="files/${version}/page.css">
<script type="module" src="files/${version}/page.js"></script>
</head>
<body class="out">
<header>
<a class="home" href="#now">nds</a>
<form id="search" class="search" role="search"><input id="q" type="search" autocomplete="off" autocapitalize="off" spellcheck="false" aria-label="Search: payment hash, swap id, id, token, webhook URL, user" placeholder="Payment hash, id, token, URL or user ( / )"></form>
<nav aria-label="Views"><a href="#now">Now</a><a href="#devices">Devices</a><a href="#callers">Apps and callers</a><a href="#endpoints">Endpoints</a></nav>
<span id="live" role="status"></span>
<span id="who"></span><button id="sign-out" type="button" hidden>Sign out</button>
</header>
<main id="view" tabindex="-1"></main>
<form id="sign-in" hidden>
<h1>Sign in</h1>
<p>With a key of <code>NDS_API_KEYS</code> that has the scope <code>read</code>. The session lasts 12 hours.</p>
<input type="text" autocomplete="username" value="nds" hidden>
<label class="key">Key <input id="key" type="password" autocomplete="current-password" maxlength="512" required></label>
<button>Sign in</button>
<p id="sign-in-fault" role="alert"></p>
</form>
<p id="told" role="status"></p>
<footer>All times are UTC.</footer>
<noscript><p>This page needs JavaScript.</p></noscript>
</body>
</html>
`);
}
