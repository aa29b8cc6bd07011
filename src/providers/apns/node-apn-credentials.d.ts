// The part of node-apn's token code that is used here; the package does not type it.

declare module '@parse/node-apn/lib/credentials/index.js' {
  export interface SignedToken {
    /** The JWT in compact form. */
    current: string;
    /** Counts the regenerations. */
    readonly generation: number;
    /** Signs anew if `generation` is still the current one. */
    regenerate(generation: number): void;
  }

  export default function createCredentials(dependencies: { readonly logger: () => void }): {
    token(options: {
      readonly key: Buffer;
      readonly keyId: string;
      readonly teamId: string;
    }): SignedToken;
  };
}
