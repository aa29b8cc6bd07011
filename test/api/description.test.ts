// The description of the API: valid, complete, and true for the routes that are served.

import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { ERRORS } from '../../src/core/errors.ts';
import { createApp } from '../../src/http/app.ts';
import { OPERATOR_ROUTES } from '../../src/http/operator/routes.ts';
import {
  CODES_ELSEWHERE,
  CODES_OF_PAGE,
  DESCRIPTION,
  OPERATIONS,
  PAGE_ROUTES,
} from '../support/described.ts';
import { setup } from '../support/service.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** The routes that Hono serves, as OpenAPI writes them. No handler runs, so empty parts are enough. */
function servedRoutes(): readonly string[] {
  const { routes } = createApp(Object.create({ devices: {}, webhooks: {} }));
  const served = routes
    .filter(({ method }) => METHODS.includes(method))
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  return [...new Set(served)];
}

test('passes a validator as OpenAPI 3.1', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(z.looseObject({}).parse(DESCRIPTION));
  expect(errors).toBeUndefined();
  expect([valid, validator.version]).toEqual([true, '3.1']);
});

test('has every route that is served', () => {
  const described = OPERATIONS.map(({ method, path }) => `${method} ${path}`);
  const served = servedRoutes();
  expect(served.length).toBeGreaterThan(15);
  expect(served.filter((route) => !described.includes(route) && !PAGE_ROUTES.test(route))).toEqual(
    [],
  );
});

test('has no route that is not served', () => {
  const patterns = servedRoutes().map(
    (route) => new RegExp(`^${route.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  );
  const unserved = OPERATIONS.map(({ method, path }) => `${method} ${path}`).filter(
    (route) => !patterns.some((pattern) => pattern.test(route)),
  );
  expect(unserved).toEqual([]);
});

test('has every code of docs/errors.md', () => {
  const described = OPERATIONS.flatMap(({ answers }) => [...answers.values()].flat());
  const all = new Set([...described, ...CODES_ELSEWHERE, ...CODES_OF_PAGE]);
  expect([...all].toSorted()).toEqual(Object.keys(ERRORS).toSorted());
});

test('names the scope that a key needs', () => {
  const scopes = OPERATOR_ROUTES.map(({ method, path, scope }) => {
    const name = path.replaceAll(/:(\w+)/g, '{$1}');
    const described = OPERATIONS.find((one) => one.method === method && one.path === name);
    return [`${method} ${path}`, described?.scopes, [scope]];
  });
  expect(scopes.filter(([, described, scope]) => String(described) !== String(scope))).toEqual([]);
});

test('has examples that its own schemas allow', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(z.looseObject({}).parse(DESCRIPTION), 'api');
  const examples = examplesIn(DESCRIPTION, []);
  expect(examples.length).toBeGreaterThan(15);
  const wrong = examples.filter(({ pointer, value }) => {
    const validate = ajv.compile({ $ref: `api#${pointer}/schema` });
    return !validate(value);
  });
  expect(wrong).toEqual([]);
});

interface Example {
  /** The pointer of the media type or parameter that has it. */
  readonly pointer: string;
  readonly value: unknown;
}

function examplesIn(node: unknown, path: readonly string[]): readonly Example[] {
  if (typeof node !== 'object' || node === null) return [];
  const pointer = path.map((part) => `/${encodeURIComponent(escaped(part))}`).join('');
  const { schema, example, examples } = z
    .looseObject({ examples: z.record(z.string(), z.looseObject({})).optional() })
    .catch({})
    .parse(node);
  const values = Object.values(examples ?? {}).map(({ value }) => value);
  const own = schema === undefined ? [] : [...values, ...(example === undefined ? [] : [example])];
  return [
    ...own.map((value) => ({ pointer, value })),
    ...Object.entries(node).flatMap(([key, child]) => examplesIn(child, [...path, key])),
  ];
}

function escaped(part: string): string {
  return part.replaceAll('~', '~0').replaceAll('/', '~1');
}

test('is served without a key, and so is its page', async () => {
  const { service } = await setup();
  const json = await fetch(`${service.url}/openapi.json`);
  expect([json.status, json.headers.get('content-type')]).toEqual([200, 'application/json']);
  const { info, ...served } = z.looseObject({ info: z.looseObject({}) }).parse(await json.json());
  expect(DESCRIPTION).toMatchObject(served);
  expect(info.version).toMatch(/^\d+\.\d+\.\d+$/);

  const page = await fetch(`${service.url}/docs`);
  const text = await page.text();
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
  for (const { path } of OPERATIONS) {
    expect(text.replaceAll('<wbr />', '')).toContain(path);
  }
  // The policy would block everything inline, and no other host may be asked.
  expect(text).not.toMatch(/<script|<style|style=|\son\w+=|(?:src|href)="(?!\/|#|data:,")/);
  // Without an icon a browser would request /favicon.ico, which would appear among the refused calls.
  expect(text).toContain('<link rel="icon" href="data:,"');
  expect(page.headers.get('content-security-policy')).toContain('img-src data:;');
  // On a phone, the title is above the long list of routes.
  expect(text.indexOf('<h1>')).toBeLessThan(text.indexOf('<nav>'));

  const style = await fetch(`${service.url}/docs/style.css`);
  expect([style.status, style.headers.get('content-type')]).toEqual([
    200,
    'text/css; charset=utf-8',
  ]);
  expect(await style.text()).not.toMatch(/url\(|@import/);
});

test('escapes on the page the texts of the description', async () => {
  const { renderPage } = await import('../../src/http/openapi/page.ts');
  const page = await renderPage({
    openapi: '3.1.1',
    info: { title: '<b>&', version: '"1"' },
    tags: [{ name: 'a' }],
    paths: { '/x': { get: { tags: ['a'], summary: '<i>', description: '`<u>`' } } },
  });
  expect(page).not.toMatch(/<b>&|<i>|<u>/);
  expect(page).toContain('<code>&lt;u&gt;</code>');
});
