/** What a registry and the server's token service agree on. */
export const TOKEN_PATH = '/registry/token';
/** `iss` and `aud` of every token; the registry is configured with both. */
export const TOKEN_ISSUER = 'davit';
export const TOKEN_SERVICE = 'davit-registry';
