/* What went wrong, for people. */

import { Refusal, Unreachable } from "./server.js";

/** The speech began and did not come to its end: why, and how much of it had come. */
export class Broken extends Error {
  constructor(message, heard_s) {
    super(message);
    this.heard_s = heard_s;
  }
}

/** Return sentences for `error`. */
export function inWords(error, hadKey) {
  if (error instanceof Refusal) return refused(error, hadKey);
  if (error instanceof Unreachable) return "The server cannot be reached. Check that it runs and that you are connected.";
  if (error instanceof Broken && !error.heard_s) return sentence(error.message);
  if (error instanceof Broken) {
    return `${sentence(error.message)} ${error.heard_s.toFixed(1)} seconds of the speech had come; they can be played.`;
  }
  return `This page failed: ${sentence(error.message)}`;
}

function refused({ status, message, retryAfter_s }, hadKey) {
  const again = retryAfter_s === null ? "Try again in a little while." : `Try again in ${duration(retryAfter_s)}.`;
  if (status === 401) return hadKey ? "The server does not know this API key." : "This server asks for an API key.";
  if (status === 413) return `This is too much at once: ${sentence(message)}`;
  if (status === 429) return `You have asked for as much as you may for now. ${again}`;
  if (status === 503) return `The server is busy or still starting. ${again}`;
  if (status >= 500) return `The server failed: ${sentence(message)}`;
  return `The server cannot speak this: ${sentence(message)}`;
}

function duration(time_s) {
  if (time_s >= 5400) return `${Math.round(time_s / 3600)} hours`;
  if (time_s >= 90) return `${Math.round(time_s / 60)} minutes`;
  return time_s === 1 ? "a second" : `${time_s} seconds`;
}

function sentence(message) {
  return /[.!?]$/.test(message) ? message : `${message}.`;
}
