// The trace that a job belongs to, as W3C's Trace Context writes it: `00-TRACE-PARENT-FLAGS`.
import { z } from 'zod';

/**
 * W3C Trace Context section 3.2: a version but `ff`, a trace id and a parent id that are not all zeros, flags; all in
 * lower case. Of a later version only this beginning is read (section 3.2.4).
 */
const form = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?![^-])/;

/** Longer ones are nobody's: 55 characters, and some for later versions. */
export const traceparentSchema = z.string().max(200).regex(form);

/** The id under which all of a trace's parts are found; undefined without a trace. */
export function traceId(traceparent: string | undefined): string | undefined {
  return traceparent === undefined ? undefined : form.exec(traceparent)?.[1];
}
