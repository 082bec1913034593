/** What a worker answers to a question that it may not answer yet (`workflows/interceptors.ts`): it is to be asked again. */
export const QUERY_NOT_READY = 'This worker may not answer yet: ask again.';
/** Header of a question to a workflow that is closed: no task comes any more, so any worker may answer. */
export const QUERY_CLOSED = 'davit-closed';
