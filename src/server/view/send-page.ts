import type { FastifyReply } from 'fastify';
import { PAGE_HEADERS } from './style.ts';

export const sendPage = (reply: FastifyReply, text: string): FastifyReply =>
  reply.headers(PAGE_HEADERS).type('text/html; charset=utf-8').send(text);
