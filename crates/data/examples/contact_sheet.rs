//! Writes contact sheets of a generated set, to inspect the output of the generator:
//! `cargo run --release -p data --example contact_sheet -- OUT_FOLDER [SET] [DATA_SEED]`, where SET is `synth` (the
//! default), `synth-hmdb`, `synth-stills` or `synth-views`.
//!
//! `frames-<class>.png` has four videos of one class, one per row, with every fourth frame; `overview.png` has the middle
//! frame of eight videos of every class, sixteen pictures for a set of stills, or all views of one event for a set of views.
//! Pictures are doubled in size.

use std::path::{Path, PathBuf};

use data::dataset::Dataset;
use image::RgbImage;
use image::imageops::{FilterType, resize};
use synth::Clip;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let out = PathBuf::from(args.next().ok_or("usage: contact_sheet OUT_FOLDER [SET] [DATA_SEED]")?);
    let name = args.next().unwrap_or_else(|| "synth".to_owned());
    let seed = args.next().map_or(Ok(1), |text| text.parse())?;
    std::fs::create_dir_all(&out)?;

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../datasets/{name}.toml"));
    let set = Dataset::open(&file, None, Some(seed))?;
    let generator = set.generator().ok_or("not a generated set")?;

    let each = set.videos.len() / set.classes.len();
    let stills = generator.set().render(0).frames.len() == 1;
    let mut overview = Vec::new();
    let mut size = (0, 0);
    for (label, class) in set.classes.iter().enumerate() {
        // One event as all cameras see it.
        let shown = if stills {
            16
        } else if set.views.is_empty() {
            8
        } else {
            set.views.len()
        };
        let clips: Vec<Clip> =
            (0..each.min(shown)).map(|n| generator.set().render(label * each + n)).collect();
        size = (clips[0].width, clips[0].height);
        if !stills {
            let rows: Vec<Vec<&[u8]>> = clips
                .iter()
                .take(4)
                .map(|clip| clip.frames.iter().step_by(4).map(Vec::as_slice).collect())
                .collect();
            sheet(&rows, size)?.save(out.join(format!("frames-{class}.png")))?;
        }
        overview.push(clips.into_iter().map(|clip| clip.frames[clip.frames.len() / 2].clone()).collect());
    }
    let rows: Vec<Vec<&[u8]>> =
        overview.iter().map(|row: &Vec<Vec<u8>>| row.iter().map(Vec::as_slice).collect()).collect();
    sheet(&rows, size)?.save(out.join("overview.png"))?;
    Ok(())
}

/// Rows of frames of one size, two pixels apart, doubled.
fn sheet(rows: &[Vec<&[u8]>], (width, height): (usize, usize)) -> Result<RgbImage, String> {
    let (w, h) = (width as u32, height as u32);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let mut sheet = RgbImage::new(columns * (w + 2), rows.len() as u32 * (h + 2));
    for (r, row) in rows.iter().enumerate() {
        for (c, frame) in row.iter().enumerate() {
            let picture = RgbImage::from_raw(w, h, frame.to_vec()).ok_or("a frame with the wrong size")?;
            let (x, y) = (c as i64 * i64::from(w + 2), r as i64 * i64::from(h + 2));
            image::imageops::replace(&mut sheet, &picture, x, y);
        }
    }
    Ok(resize(&sheet, sheet.width() * 2, sheet.height() * 2, FilterType::Nearest))
}
