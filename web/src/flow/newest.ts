// One run at a time, and the newest value wins: what follows a slider without ever lagging behind it.

/**
 * Returns a function that runs `work` with its argument. While a run is under way only the newest argument is kept, and
 * is run next; older ones are dropped. `work` handles its own errors.
 */
export function newest<T>(work: (value: T) => Promise<void>): (value: T) => void {
  let busy = false;
  let waiting: { value: T } | undefined;

  const run = async (value: T): Promise<void> => {
    busy = true;
    try {
      await work(value);
    } finally {
      busy = false;
      const next = waiting;
      waiting = undefined;
      if (next) void run(next.value);
    }
  };

  return (value) => {
    if (busy) waiting = { value };
    else void run(value);
  };
}
