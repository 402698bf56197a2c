//! Estimates optical flow of two pictures or of a video, for inspection.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use data::DataError;
use data::decode::Decoder;
use data::picture::{read_grey, write_png};
use data::video_flow::flow_along_video;
use flow::{
    Batched, Estimator, FlowError, FlowField, Method, angular_error, encode_flo, endpoint_error,
    flow_to_rgb8, read_flo,
};

use crate::{Console, Error, Interrupt, Result};
use plan::spec::FlowPreset;

/// Number of frame pairs of UCF-101, in one direction.
const UCF101_PAIRS: f64 = 2.4e6;

/// The input, output and method of an estimate.
#[derive(Debug, Clone)]
pub struct FlowRequest {
    /// The first picture, or a video.
    pub from: PathBuf,
    /// The second picture; `None` for a video.
    pub to: Option<PathBuf>,
    /// Output: a `.flo` or `.png` file for pictures, a folder for a video.
    pub out: Option<PathBuf>,
    /// Writes the flow of a video as `.flo` files instead of pictures.
    pub flo: bool,
    /// The method.
    pub method: FlowPreset,
    /// Number of threads.
    pub threads: NonZeroUsize,
    /// The true flow of two pictures, a `.flo` file.
    pub truth: Option<PathBuf>,
    /// Estimator of TV-L1 in place of the CPU.
    pub batched: Option<Arc<dyn Batched>>,
}

/// Estimates flow, writes it if an output is given, and returns a summary.
///
/// # Errors
/// [`Error::Usage`] for an output of unknown kind, [`Error::Data`] for files that cannot be read or written.
pub fn estimate_flow(request: &FlowRequest, console: &Console, interrupt: &Interrupt) -> Result<String> {
    match &request.to {
        Some(to) => of_pictures(request, to),
        None => of_video(request, console, interrupt),
    }
}

fn of_pictures(request: &FlowRequest, second: &Path) -> Result<String> {
    let save = request.out.as_deref().map(|out| Ok::<_, Error>((out, Form::of(out)?))).transpose()?;
    let (from, to) = (read_grey(&request.from)?, read_grey(second)?);
    let estimator = Estimator::new(request.method.method()).map_err(DataError::from)?;
    let estimator = estimator.with_threads(request.threads);
    let of_both = |error: FlowError| {
        let names = format!("{} and {}", request.from.display(), second.display());
        DataError::from(error).of(names)
    };
    let begun = Instant::now();
    let (field, by) = match (&request.batched, estimator.method()) {
        (Some(batched), Method::TvL1(params)) => {
            let fields = batched.compute(&params, &[from, to], &[(0, 1)]).map_err(of_both)?;
            let field = fields.into_iter().next();
            (field.ok_or_else(|| Error::Usage("a pair without a field".into()))?, batched.name().to_owned())
        }
        _ => {
            let field = estimator.compute(&from, &to).map_err(of_both)?;
            (field, format!("{} threads", request.threads))
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    let (mean, largest) = lengths(&field);
    let mut text = format!(
        "{}x{}, {}, {by}, {:.1} ms; mean length {mean:.3} pixels, largest {largest:.2}",
        field.width,
        field.height,
        request.method,
        1e3 * seconds
    );
    if let Some(path) = &request.truth {
        let truth = read_flo(path).map_err(DataError::from)?;
        let of_truth = |error: FlowError| DataError::from(error).of(path.display().to_string());
        let endpoint = endpoint_error(&field, &truth).map_err(of_truth)?;
        let angle = angular_error(&field, &truth).map_err(of_truth)?;
        text.push_str(&format!("; endpoint error {endpoint:.3} pixels, angular error {angle:.2} degrees"));
    }
    if let Some((out, form)) = save {
        form.write(out, &field, None)?;
        text.push_str(&format!("; written to {}", out.display()));
    }
    Ok(text)
}

fn of_video(request: &FlowRequest, console: &Console, interrupt: &Interrupt) -> Result<String> {
    if let Some(truth) = &request.truth {
        let truth = truth.display();
        return Err(Error::Usage(format!(
            "--truth {truth} is the flow of two pictures, but {} is the only input; add the second picture",
            request.from.display()
        )));
    }
    let decoder = Decoder::find()?;
    let estimator = Estimator::new(request.method.method()).map_err(DataError::from)?;
    let form = if request.flo { Form::Flo } else { Form::Png };
    let step = console.open_step("flow");
    let mut pairs = 0;
    let begun = Instant::now();
    let decoded = flow_along_video(
        &decoder,
        &request.from,
        &estimator,
        request.batched.as_deref(),
        request.threads,
        interrupt.flag(),
        |number, field| {
            if let Some(folder) = &request.out {
                form.write(&folder.join(format!("{:05}.{form}", number + 1)), &field, Some(FULL_SCALE))?;
            }
            pairs = number + 1;
            step.set(pairs as u64, "pairs");
            Ok(())
        },
    );
    drop(step);
    let decoded = match decoded {
        Err(DataError::Interrupted) => return Err(Error::Interrupted),
        decoded => decoded.map_err(|error| error.of_video(request.from.display()))?,
    };
    let seconds = begun.elapsed().as_secs_f64();
    if pairs == 0 {
        // Damage explains a lack of frames.
        let frames = decoded.strict(&request.from)?.frames;
        let expected =
            "two or more, since flow leads from one frame to the next; give a longer video, or two pictures";
        return Err(
            DataError::invalid(format!("frames of {}", request.from.display()), expected, frames).into()
        );
    }
    let rate = pairs as f64 / seconds;
    let by = match (&request.batched, estimator.method()) {
        (Some(batched), Method::TvL1(_)) => batched.name().to_owned(),
        _ => format!("{} threads", request.threads),
    };
    let mut text = format!(
        "{pairs} pairs of {}x{}, {}, {by}, {seconds:.2} s with decoding: {rate:.1} pairs/s; the 2.4 million pairs \
         of UCF-101 would take {:.1} hours at this rate",
        decoded.width,
        decoded.height,
        request.method,
        UCF101_PAIRS / rate / 3600.0,
    );
    if let Some(folder) = &request.out {
        text.push_str(&format!("; written to {}", folder.display()));
    }
    match decoded.strict(&request.from) {
        Ok(_) => Ok(text),
        Err(damage) => {
            console.line(&text);
            Err(damage.into())
        }
    }
}

/// Length in pixels per frame that is fully saturated in all pictures of a video, so that their colours are comparable.
const FULL_SCALE: f32 = 8.0;

/// The file format of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Flo,
    Png,
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Flo => "flo",
            Self::Png => "png",
        })
    }
}

impl Form {
    fn of(out: &Path) -> Result<Self> {
        match out.extension().and_then(|ending| ending.to_str()) {
            Some("flo") => Ok(Self::Flo),
            Some("png") => Ok(Self::Png),
            _ => Err(Error::Usage(format!(
                "{}: expected a name that ends in .flo (the vectors) or .png (their colours)",
                out.display()
            ))),
        }
    }

    fn write(self, path: &Path, field: &FlowField, full_scale: Option<f32>) -> Result<(), DataError> {
        match self {
            Self::Flo => Ok(base::files::write(path, &[&encode_flo(field)?])?),
            Self::Png => write_png(path, field.width, field.height, &flow_to_rgb8(field, full_scale)?),
        }
    }
}

/// Computes the mean and the largest length of the vectors, in pixels.
fn lengths(field: &FlowField) -> (f64, f32) {
    let lengths = field.u.iter().zip(&field.v).map(|(u, v)| u.hypot(*v));
    let (sum, largest) =
        lengths.fold((0.0, 0f32), |(sum, largest), length| (sum + f64::from(length), largest.max(length)));
    (sum / field.u.len().max(1) as f64, largest)
}
