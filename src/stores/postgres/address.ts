// NDS_DATABASE for the driver.

/**
 * `sslmode` as libpq and every other client of PostgreSQL read it (its documentation, "SSL Support"): `require` encrypts and
 * checks no certificate, unless `sslrootcert` names one. By itself the driver would treat it as `verify-full`, with a
 * warning.
 */
export function connectionString(url: string): string {
  const address = new URL(url);
  address.searchParams.set('uselibpqcompat', 'true');
  return address.href;
}
