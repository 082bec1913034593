/**
 * Node's own HTTP clients. An `import` of them would evaluate everything that `node:http` exports, and with that load the client
 * behind `fetch`: 60 ms of processor time in every command.
 */
export const http = process.getBuiltinModule('node:http');
export const https = process.getBuiltinModule('node:https');
