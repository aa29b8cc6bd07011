// What apps send by mistake instead of a push token: printed byte buffers, base64, quoted texts, and nothing at all.

const HEX = '740f4707bebcf74f9b7c25d48e3358945f6aa01da5ddb387462c7eaf61bb78ad';

export const MISSENT_TOKENS: readonly string[] = [
  `${HEX} `,
  ` ${HEX}`,
  HEX.replace(/(.{8})/g, '$1 ').trim(),
  `0x${HEX}`,
  `0X${HEX.toUpperCase()}`,
  '<740f4707 bebcf74f 9b7c25d4 8e335894 5f6aa01d a5ddb387 462c7eaf 61bb78ad>',
  `<${HEX}>`,
  '{length = 32, bytes = 0x740f4707 bebcf74f 9b7c25d4 8e335894 ... 462c7eaf 61bb78ad }',
  'dA9HB76890+bfCXUjjNYlF9qoB2l3bOHRix+r2G7eK0=',
  'dA9HB76890 bfCXUjjNYlF9qoB2l3bOHRix r2G7eK0=',
  `"${HEX}"`,
  `'${HEX}'`,
  `Optional("${HEX}")`,
  `[${HEX}]`,
  `%3C${HEX}%3E`,
  `${HEX},${HEX}`,
  '[object Object]',
  'tøken-発:🌩',
  'ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]',
  'null',
  'NULL',
  '(null)',
  '<null>',
  'nil',
  'undefined',
  'None',
  'NaN',
];
