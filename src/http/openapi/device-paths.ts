// The description of the registry's routes.

import { z } from 'zod';
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi';
import type { ErrorCode } from '../../core/errors.ts';
import type { DeviceBodies } from '../devices/device-body.ts';
import { SIGNATURE_HEADER, TIME_HEADER } from '../devices/self-registration.ts';
import { listDevicesQuery } from '../operator/query.ts';
import { deletedAnswer, deviceAnswer, devicesAnswer, revokedAnswer } from './device-answers.ts';
import { OF_BODIES, problems } from './problems.ts';

const BACKEND = [{ key: ['register'] }];
const OF_READERS = [...BACKEND, { key: ['read'] }];

const id = z.uuid().meta({ description: 'The device.' });
const door = z.string().meta({
  description: '`notify`, `lsps5`, or the name of a source.',
  example: 'notify',
});
const ofDevice = z.object({ id });
const ofHandle = z.object({ id, door });
const signedHeaders = z.object({
  [TIME_HEADER]: z.string().optional().meta({
    description: 'Unix time in seconds, where a wallet registers itself.',
  }),
  [SIGNATURE_HEADER]: z.string().optional().meta({ description: 'By its node key, zbase32.' }),
});

const OF_BACKEND: readonly ErrorCode[] = [
  'unauthorized',
  'insufficient_scope',
  'rate_limited',
  'store_unavailable',
];
const OF_DEVICE: readonly ErrorCode[] = [...OF_BACKEND, 'unknown_device', 'external_url_missing'];
const OF_CHANGE: readonly ErrorCode[] = [
  ...OF_DEVICE,
  ...OF_BODIES,
  'bad_body',
  'unknown_app',
  'provider_not_configured',
  'device_exists',
  'too_many_devices',
];

const REGISTRATION = {
  platform: 'android',
  token: 'dQw4w9WgXcQ-Ex_1:APA91bDemoPhone',
  user: 'wallet-of-alice',
};

export function devicePaths({ schemas }: DeviceBodies): ZodOpenApiPathsObject {
  const registration: ZodOpenApiOperationObject = {
    operationId: 'registerDevice',
    tags: ['devices'],
    summary: 'Register a device',
    description:
      'By the vendor’s backend with its key, by an app with the app’s key, or by a wallet that signs with its node key. The answer has one URL for each door.',
    security: [...BACKEND, {}],
    requestParams: { header: signedHeaders },
    requestBody: bodyOf(schemas.registration, REGISTRATION),
    responses: {
      ...ok(deviceAnswer),
      ...problems([
        ...OF_CHANGE.filter((code) => code !== 'unknown_device' && code !== 'device_exists'),
        'bad_signature',
        'stale_timestamp',
        'rate_limited',
      ]),
    },
  };
  return {
    '/api/v1/devices': { post: registration, get: list() },
    '/api/v1/devices/{id}': {
      get: {
        ...ofBackend('readDevice', 'Read a device'),
        security: OF_READERS,
        requestParams: { path: ofDevice },
        responses: { ...ok(deviceAnswer), ...problems(OF_DEVICE) },
      },
      patch: {
        ...ofBackend('changeDevice', 'Change a device; other fields stay'),
        requestParams: { path: ofDevice },
        requestBody: bodyOf(schemas.changes, { locale: 'de-CH' }),
        responses: { ...ok(deviceAnswer), ...problems(OF_CHANGE) },
      },
      delete: {
        ...ofBackend('deleteDevice', 'Delete a device with its URLs'),
        requestParams: { path: ofDevice },
        responses: { ...ok(deletedAnswer), ...problems([...OF_BACKEND, 'unknown_device']) },
      },
    },
    '/api/v1/devices/{id}/token': {
      put: {
        ...ofBackend('rotateToken', 'A new token under the same URLs'),
        requestParams: { path: ofDevice },
        requestBody: bodyOf(schemas.rotation, { token: REGISTRATION.token }),
        responses: { ...ok(deviceAnswer), ...problems(OF_CHANGE) },
      },
    },
    '/api/v1/devices/{id}/handles/{door}': {
      post: {
        ...ofBackend('renewHandle', 'A new URL for one door, in place of the old one'),
        requestParams: { path: ofHandle },
        responses: {
          ...ok(deviceAnswer),
          ...problems([...OF_DEVICE, ...OF_BODIES, 'unknown_source']),
        },
      },
      delete: {
        ...ofBackend('revokeHandle', 'Revoke the URL of one door'),
        requestParams: { path: ofHandle },
        responses: {
          ...ok(revokedAnswer),
          ...problems([...OF_BACKEND, 'unknown_device', 'unknown_handle']),
        },
      },
    },
  };
}

function list(): ZodOpenApiOperationObject {
  return {
    ...ofBackend('listDevices', 'The devices of a user, or all of them, newest first'),
    security: OF_READERS,
    description:
      'Without `user` all devices, page by page; with it those of `app`, or of `default`.',
    requestParams: { query: listDevicesQuery },
    responses: {
      ...ok(devicesAnswer),
      ...problems([...OF_BACKEND, 'bad_query', 'external_url_missing']),
    },
  };
}

function ofBackend(operationId: string, summary: string) {
  return { operationId, tags: ['devices'], summary, security: BACKEND };
}

export function ok(schema: z.ZodType) {
  return { '200': { description: 'Done.', content: { 'application/json': { schema } } } };
}

export function bodyOf(schema: z.ZodType, example: unknown) {
  return { required: true, content: { 'application/json': { schema, example } } };
}
