/** A Pilot: one a pod, made by the server and owned by the pod. People read it; the server alone writes it. */
import { conditions, text, time } from './common.schema.ts';
import type { StructuralSchema } from './schema.ts';

const count: StructuralSchema = { type: 'integer', format: 'int64', minimum: 0 };

/** The schema of a whole Pilot, as `openAPIV3Schema` of its CustomResourceDefinition. */
export const pilotSchema: StructuralSchema = {
  type: 'object',
  required: ['spec'],
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
    spec: {
      type: 'object',
      required: ['desired'],
      properties: {
        desired: {
          type: 'object',
          required: ['phase'],
          properties: {
            phase: {
              type: 'string',
              description: 'what its database is meant to be',
              enum: ['Running', 'Stopped', 'Decommissioned'],
            },
          },
        },
      },
    },
    status: {
      type: 'object',
      properties: {
        phase: text,
        incarnation: { ...text, description: 'the life of the pilot that was heard last' },
        lastHeartbeat: time(),
        version: text,
        nodeId: text,
        documents: count,
        shards: count,
        permit: {
          type: 'object',
          description: 'the permit that it holds or waits for',
          properties: { id: text, verb: text, state: text },
        },
        holds: {
          type: 'array',
          maxItems: 64,
          items: { type: 'object', properties: { name: text, message: { type: 'string', maxLength: 2048 } } },
        },
        conditions: conditions(['Ready', 'Started', 'Stopped']),
      },
    },
  },
};
