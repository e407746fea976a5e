// What a pool of workers may do: the bounds of their number, and its pace.

/** Durations are in milliseconds. */
export interface PoolLimits {
  /** How many jobs of a queue one worker works on at a time. */
  concurrency: number;
  min: number;
  max: number;
  /** How many jobs may be in line for each worker. */
  targetPerWorker: number;
  /** How long a job may wait before the pool grows whatever its depth. */
  ageObjective: number;
  /** How long nothing must have been there to do before the pool goes down to `min`. */
  cooldown: number;
  /** The most workers that come, or go, at a time. */
  stepUp: number;
  stepDown: number;
  /** The shortest time between two times of growth. */
  upEvery: number;
  /** How long fewer workers must have been enough before some go; also the time between two times of shrinking. */
  downEvery: number;
  /** The most jobs that may be of use at a time, all workers together: more of them would wait for each other. */
  atOnce?: number;
  /** The most jobs that the pool may have at one backend; all its jobs may be for the same one. */
  backendLimit?: number;
}
