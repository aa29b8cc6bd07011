// The mail server of the operator, read from a URL such as smtp://user:password@mail.example.com:587.

export interface SmtpServer {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte on: smtps. */
  readonly isSecure: boolean;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

/** The usual ports: submission (RFC 6409), and submissions (RFC 8314). */
const DEFAULT_PORT = 587;
const DEFAULT_SECURE_PORT = 465;

/** Undefined for any other URL; options in a query are refused, because the settings decide these. */
export function parseSmtpUrl(text: string): SmtpServer | undefined {
  if (!/^smtps?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
  if (!/^(?:[A-Za-z0-9_.-]+|\[[0-9a-f:.]+\])$/i.test(hostname)) return undefined;
  if (!/^\/?$/.test(pathname) || search !== '' || hash !== '') return undefined;
  const login = [username, password].map(decoded);
  const [user, secret] = login;
  if (user === undefined || secret === undefined || (user === '') !== (secret === '')) {
    return undefined;
  }
  const isSecure = protocol === 'smtps:';
  const usual = isSecure ? DEFAULT_SECURE_PORT : DEFAULT_PORT;
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? usual : Number(port),
    isSecure,
    user: user === '' ? undefined : user,
    password: secret === '' ? undefined : secret,
  };
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
