/** What a worker answers to a question that it may not answer yet (`workflows/interceptors.ts`): it is to be asked again. */
export const ASK_AGAIN = 'This worker may not answer yet: ask again.';
