//! Estimation of flow along a video file while it is decoded. Only the frames that are being worked on are kept.

use crate::batched::{fields, frames_at_once};
use crate::decode::{Decoded, Decoder, RgbFrame};
use crate::error::DataError;
use flow::{Batched, Estimator, FlowError, FlowField, GrayImage, Method, Stream, TvL1Params};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Number of frames that a thread takes at a time. Its first frame is also the last of another thread, so the work for that
/// frame alone is done twice.
const TURN: usize = 16;

/// Estimates the flow from every frame of a video to the next and hands it, with its number from 0, to `each`, in order.
/// The video is decoded at the same time. Each of `threads` works on a stretch of its own, which does not change the fields.
/// If `batched` is given and the method is TV-L1, it estimates long stretches at once instead.
///
/// # Errors
/// The errors of [`Decoder::decode`], those for frames that the estimator refuses, and whatever `each` returns.
pub fn flow_along_video(
    decoder: &Decoder,
    path: &Path,
    estimator: &Estimator,
    batched: Option<&dyn Batched>,
    threads: NonZeroUsize,
    stop: &AtomicBool,
    each: impl FnMut(usize, FlowField) -> Result<(), DataError>,
) -> Result<Decoded, DataError> {
    let pool = ThreadPoolBuilder::new().num_threads(threads.get()).build().map_err(|e| {
        DataError::invalid(
            "threads for the flow",
            "a number that the system grants",
            format!("{threads}: {e}"),
        )
    })?;
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(threads.get() * TURN);
        let decoding = scope.spawn(move || {
            decoder.decode(path, stop, |RgbFrame { width, height, data }| {
                let frame = GrayImage::from_rgb8(width, height, data)?;
                // The receiver is gone because of an error, which it returns.
                sender.send(frame).map_err(|_| DataError::Interrupted)
            })
        });
        let estimated = match (batched, estimator.method()) {
            (Some(batched), Method::TvL1(params)) => estimate_at_once(batched, &params, receiver, each),
            _ => estimate(&pool, &mut vec![estimator.stream(); threads.get()], receiver, each),
        };
        let decoded = decoding.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        estimated.and(decoded).map_err(|error| error.of_video(path.display()))
    })
}

fn estimate(
    pool: &ThreadPool,
    streams: &mut [Stream],
    frames: Receiver<GrayImage>,
    mut each: impl FnMut(usize, FlowField) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let mut done = 0;
    let mut waiting: Vec<GrayImage> = Vec::new();
    loop {
        let room = streams.len() * TURN + 1 - waiting.len();
        waiting.extend(frames.iter().take(room));
        let pairs = waiting.len().saturating_sub(1);
        if pairs == 0 {
            return Ok(());
        }
        // Every thread gets a stretch of pairs; neighbouring stretches share a frame.
        let stretch = pairs.div_ceil(streams.len());
        let stretches: Vec<&[GrayImage]> =
            (0..pairs).step_by(stretch).map(|from| &waiting[from..=(from + stretch).min(pairs)]).collect();
        let work = streams.par_iter_mut().zip(stretches).with_max_len(1);
        let fields: Result<Vec<Vec<FlowField>>, FlowError> =
            pool.install(|| work.map(|(stream, frames)| along(stream, frames)).collect());
        for field in fields?.into_iter().flatten() {
            each(done, field)?;
            done += 1;
        }
        waiting.drain(..pairs);
    }
}

fn estimate_at_once(
    batched: &dyn Batched,
    params: &TvL1Params,
    frames: Receiver<GrayImage>,
    mut each: impl FnMut(usize, FlowField) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let mut done = 0;
    let mut waiting: Vec<GrayImage> = Vec::new();
    loop {
        if waiting.is_empty() {
            waiting.extend(frames.recv().ok());
        }
        let Some(GrayImage { width, height, .. }) = waiting.first() else { return Ok(()) };
        let room = frames_at_once(batched, *width, *height) - waiting.len();
        waiting.extend(frames.iter().take(room));
        let pairs: Vec<(usize, usize)> = (1..waiting.len()).map(|to| (to - 1, to)).collect();
        if pairs.is_empty() {
            return Ok(());
        }
        for field in fields(batched, params, &waiting, &pairs)? {
            each(done, field)?;
            done += 1;
        }
        waiting.drain(..pairs.len());
    }
}

fn along(stream: &mut Stream, frames: &[GrayImage]) -> Result<Vec<FlowField>, FlowError> {
    stream.restart();
    frames.iter().filter_map(|frame| stream.push(frame).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::{Method, TvL1Params};

    fn pool() -> ThreadPool {
        ThreadPoolBuilder::new().num_threads(2).build().unwrap()
    }

    fn picture(step: usize) -> GrayImage {
        let value = |i: usize| {
            let (x, y) = ((i % 24) as f32 - 0.7 * step as f32, (i / 24) as f32);
            120.0 + 50.0 * (0.5 * x + 0.2 * y).sin() + 40.0 * (0.4 * y - 0.1 * x).cos()
        };
        GrayImage::new(24, 20, (0..24 * 20).map(value).collect()).unwrap()
    }

    #[test]
    fn stretches_give_the_fields_of_the_pairs_in_order() {
        let estimator = Estimator::new(Method::TvL1(TvL1Params::fast())).unwrap();
        let frames: Vec<_> = (0..40).map(picture).collect();
        let expected: Vec<_> =
            frames.windows(2).map(|pair| estimator.compute(&pair[0], &pair[1]).unwrap()).collect();
        for threads in [1, 3] {
            let (sender, receiver) = sync_channel(frames.len());
            frames.iter().for_each(|frame| sender.send(frame.clone()).unwrap());
            drop(sender);
            let mut found = Vec::new();
            estimate(&pool(), &mut vec![estimator.stream(); threads], receiver, |number, field| {
                assert_eq!(number, found.len());
                found.push(field);
                Ok(())
            })
            .unwrap();
            assert_eq!(found, expected, "{threads} threads");
        }
    }

    /// The CPU's estimator in place of an estimator of many pairs.
    #[derive(Debug)]
    struct OneByOne;

    impl Batched for OneByOne {
        fn name(&self) -> &str {
            "one-by-one"
        }

        fn frames_at_once(&self, _width: usize, _height: usize) -> usize {
            3
        }

        fn compute(
            &self,
            params: &TvL1Params,
            frames: &[GrayImage],
            pairs: &[(usize, usize)],
        ) -> Result<Vec<FlowField>, FlowError> {
            let estimator = Estimator::new(Method::TvL1(params.clone()))?;
            pairs.iter().map(|&(from, to)| estimator.compute(&frames[from], &frames[to])).collect()
        }
    }

    #[test]
    fn many_pairs_at_once_give_the_same_fields() {
        let estimator = Estimator::new(Method::TvL1(TvL1Params::fast())).unwrap();
        for count in [0, 1, 2, 7] {
            let frames: Vec<_> = (0..count).map(picture).collect();
            let expected: Vec<_> =
                frames.windows(2).map(|pair| estimator.compute(&pair[0], &pair[1]).unwrap()).collect();
            let (sender, receiver) = sync_channel(frames.len());
            let mut found = Vec::new();
            thread::scope(|scope| {
                scope.spawn(move || frames.into_iter().for_each(|frame| sender.send(frame).unwrap()));
                estimate_at_once(&OneByOne, &TvL1Params::fast(), receiver, |number, field| {
                    assert_eq!(number, found.len());
                    found.push(field);
                    Ok(())
                })
                .unwrap();
            });
            assert_eq!(found, expected, "{count} frames");
        }
    }

    #[test]
    fn no_frame_and_one_frame_have_no_flow() {
        let estimator = Estimator::new(Method::TvL1(TvL1Params::fast())).unwrap();
        for count in 0..2 {
            let (sender, receiver) = sync_channel(2);
            (0..count).for_each(|step| sender.send(picture(step)).unwrap());
            drop(sender);
            estimate(&pool(), &mut [estimator.stream()], receiver, |_, _| {
                panic!("a field of {count} frames")
            })
            .unwrap();
        }
    }
}
