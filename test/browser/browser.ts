// The page in a real browser, with a service of its own behind it. In every test the browser must log no error and must
// not ask any other host.

import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { z } from 'zod';
import { operate, told } from '../support/operator-calls.ts';
import { PAGE_ENVIRONMENT, PAGE_KEYS } from '../support/page-calls.ts';
import { type Setup, type SetupOptions, setup } from '../support/service.ts';

const PLACES = [
  process.env.NDS_CHROMIUM ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const registered = z.looseObject({ id: z.string(), secret: z.string() });

let launched: Promise<Browser> | undefined;

function launch(): Promise<Browser> {
  const executablePath = PLACES.find((place) => place !== '' && existsSync(place));
  if (executablePath === undefined) {
    throw new Error(
      'These tests need Chromium: install the package chromium, or set NDS_CHROMIUM to its path.',
    );
  }
  // CI runs as root in a container, where Chromium's sandbox does not work; the browser opens only our page.
  launched ??= chromium.launch({ executablePath, args: ['--no-sandbox'] });
  return launched;
}

export interface OpenOptions {
  /** The address of the service, or of a proxy in front of it. */
  readonly url: string;
  /** The part after `/admin/`. */
  readonly path?: string;
  /** Signs in with this key, unless it is null. */
  readonly key?: string | null;
  readonly context?: BrowserContextOptions;
  /** Whether the browser may report connections that were lost because the test cuts them. */
  readonly mayLoseConnections?: boolean;
}

/** A page that is signed in. The test fails for an error in the console and for a request to another host. */
export async function openPage({
  url,
  path = '',
  key = PAGE_KEYS.all,
  context: options = {},
  mayLoseConnections = false,
}: OpenOptions): Promise<Page> {
  const browser = await launch();
  const context = await browser.newContext({ viewport: { width: 1_280, height: 900 }, ...options });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url });
  const complaints: string[] = [];
  context.on('weberror', (error) => complaints.push(String(error.error())));
  context.on('console', (message) => {
    const isLost = /net::ERR_(?:INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/.test(message.text());
    if (isLost && mayLoseConnections) return;
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  context.on('request', (request) => {
    if (new URL(request.url()).origin !== url) complaints.push(`request to ${request.url()}`);
  });
  onTestFinished(async () => {
    await context.close();
    expect(complaints).toEqual([]);
  });
  const page = await context.newPage();
  await page.goto(`${url}/admin/${path}`);
  if (key !== null) {
    await page.getByLabel('Key').fill(key);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
  }
  return page;
}

export async function closeBrowser(): Promise<void> {
  await (await launched)?.close();
  launched = undefined;
}

export interface Started {
  readonly running: Setup;
  /** The service's address for a browser on this machine. */
  readonly url: string;
}

export async function start(options: SetupOptions = {}): Promise<Started> {
  const own = { NDS_ENDPOINT_NETWORKS: '127.0.0.0/8' };
  const environment = { ...PAGE_ENVIRONMENT, ...own, ...options.environment };
  const running = await setup({ ...options, environment });
  return { running, url: running.service.url };
}

/** Registers an endpoint by the API. */
export async function addEndpoint(running: Setup, body: object) {
  const made = await operate(running, { method: 'POST', path: '/endpoints', body });
  return registered.parse(told(made));
}

/** The badges of the list, the newest first. */
export function outcomes(page: Page): Promise<readonly string[]> {
  return page.locator('#log .badge').allTextContents();
}

/** Resolves when the list begins with this outcome and type. */
export async function untilNewest(page: Page, text: RegExp): Promise<void> {
  await page.locator('#log li').first().filter({ hasText: text }).waitFor();
}
