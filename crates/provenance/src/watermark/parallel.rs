//! Work on all processors.

use std::thread::{Builder, available_parallelism, scope};

/// What `work` gives for all items, in their order, on all processors.
pub(crate) fn in_parallel<T: Sync, I>(items: &[T], work: impl Fn(&T) -> I + Sync) -> Vec<I::Item>
where
    I: IntoIterator,
    I::Item: Send,
{
    let each = |part: &[T]| part.iter().flat_map(&work).collect::<Vec<I::Item>>();
    let threads = available_parallelism().map_or(1, usize::from);
    if items.len() < 2 || threads < 2 {
        return each(items);
    }
    let each = &each;
    scope(|scope| {
        let parts = items.chunks(items.len().div_ceil(threads));
        let begin = |part| (part, Builder::new().spawn_scoped(scope, move || each(part)));
        let begun: Vec<_> = parts.map(begin).collect();
        let mut made = Vec::with_capacity(items.len());
        for (part, thread) in begun {
            made.extend(match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                // The system gives no more threads: this one does the work.
                Err(_) => each(part),
            });
        }
        made
    })
}
