//! Extracted frames and flow: exact import, and refusals.

mod made;
mod others;
mod refused;

use crate::common::put;
use crate::prepare::{config, run};
use data::codec::Codec;
use data::dataset::{Dataset, DatasetSpec, OpenOptions, SourceHashes, VideoSource};
use data::extracted::{ExtractedFolder, Extraction, decode_colour};
use data::prepare::{PrepareConfig, PrepareError, PrepareReport, PreparedVideo};
use data::{DataError, Direction, VideoReader};
use made::{BOUND, Made, Style, made};
use std::fs;
use std::path::{Path, PathBuf};

/// A data set of one class with a clip for each name.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spec = format!(
            "kind = \"video-folders\"\ntitle = \"t\"\nclips = {}\nclasses = [\"Run\"]\ngroups = {names:?}\n\
             clip-name = \"{{group}}_{{class}}\"\nextensions = [\"avi\"]\n[[split]]\nname = \"1\"\ntest = [{:?}]\n",
            names.len(),
            names[0]
        );
        put(&folder.path().join("mine.toml"), spec);
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn open(&self, extraction: Option<Extraction>, partial: bool) -> Result<Dataset, DataError> {
        let spec = DatasetSpec::load(&self.folder.path().join("mine.toml"))?;
        let options = OpenOptions { root: Some(self.root()), extraction, partial, ..OpenOptions::default() };
        Dataset::open_with(&spec, &options)
    }

    fn prepare(
        &self,
        extraction: Extraction,
        config: &PrepareConfig,
    ) -> Result<Vec<PreparedVideo>, PrepareError> {
        let set = self.open(Some(extraction), false).unwrap();
        let all: Vec<usize> = (0..set.videos.len()).collect();
        run(&set, config, &all, &self.cache()).map(|prepared| prepared.videos)
    }

    /// The report of a run in which something fails.
    fn report(&self, extraction: Extraction) -> Box<PrepareReport> {
        match self.prepare(extraction, &as_is(Codec::Raw8)) {
            Err(PrepareError::Videos(report)) => report,
            other => panic!("{other:?}"),
        }
    }
}

/// A configuration that keeps the size of the extracted pictures.
fn as_is(codec: Codec) -> PrepareConfig {
    PrepareConfig { short_side: made::HEIGHT, frame_codec: codec, flow_codec: codec, ..config() }
}

fn bound(pixels: f32) -> Extraction {
    Extraction::new(pixels).unwrap()
}

#[test]
fn both_conventions_and_all_numberings_give_the_same_video() {
    let made = made();
    let place = Place::new(&["a", "b", "c", "d"]);
    let style = Style::default();
    for (name, style) in [
        ("Run/a_Run", style),
        ("Run/b_Run", Style { first_pair: true, start: 0, ..style }),
        // Frames without a class folder, in another case.
        ("C_run", Style { short_names: true, digits: 4, ..style }),
        ("D_RUN", Style { short_names: true, start: 0, digits: 6, first_pair: true, ..style }),
    ] {
        made.write(&place.root().join(name), &style);
    }
    let videos = place.prepare(bound(BOUND), &as_is(Codec::Raw8)).unwrap();
    let jpeg = place.prepare(bound(BOUND), &as_is(Codec::Jpeg { quality: 50 })).unwrap();
    for (video, jpeg) in videos.iter().zip(&jpeg) {
        assert_eq!((video.frames, video.size()), (made.frames.len() - 1, (made::WIDTH, made::HEIGHT)));
        assert_eq!((video.judged, jpeg.judged), (Some(true), Some(true)));
        for t in [0, 7, video.fields() - 1] {
            // Exactly the bytes of the folder, whatever the codec: JPEG files are stored unchanged.
            let field = video.field(Direction::Forward, t).unwrap();
            let again = jpeg.field(Direction::Forward, t).unwrap();
            assert_eq!((&field.u, &field.v, field.mean), (&again.u, &again.v, again.mean));
            let [x, y] = made.flow_bytes(t + 1);
            let value = |byte: &u8| -BOUND + f32::from(*byte) * (2.0 * BOUND / 255.0);
            assert_eq!(field.u, x.iter().map(value).collect::<Vec<_>>());
            assert_eq!(field.v, y.iter().map(value).collect::<Vec<_>>());
            let frame = decode_colour("", made.jpegs[t + 1].clone()).unwrap().pixels;
            assert_eq!(video.frame(t).unwrap().rgb, frame);
            assert_eq!(jpeg.frame(t).unwrap().rgb, frame);
        }
        assert!(matches!(video.field(Direction::Backward, 0), Err(DataError::NotPrepared { .. })));
    }
}

#[test]
fn at_another_size_frames_and_flow_are_resized_and_the_vectors_scaled() {
    let made = made();
    let place = Place::new(&["a", "b"]);
    made.write(&place.root().join("Run/a_Run"), &Style::default());
    made.write(&place.root().join("Run/b_Run"), &Style::default());
    let small = PrepareConfig { short_side: made::HEIGHT / 2, ..as_is(Codec::Raw8) };
    let whole = place.prepare(bound(BOUND), &as_is(Codec::Raw8)).unwrap().remove(0);
    let half = place.prepare(bound(BOUND), &small).unwrap().remove(0);
    assert_eq!(half.size(), (made::WIDTH / 2, made::HEIGHT / 2));
    for t in 0..3 {
        let (one, two) =
            (whole.field(Direction::Forward, t).unwrap(), half.field(Direction::Forward, t).unwrap());
        for (one, two) in one.mean.iter().zip(two.mean) {
            assert!((one / 2.0 - two).abs() < 0.02, "a mean of {one} became {two}");
        }
    }
}

#[test]
fn the_bound_has_to_be_stated_and_means_nothing_for_videos() {
    let made = made();
    let place = Place::new(&["a", "b"]);
    made.write(&place.root().join("Run/a_Run"), &Style::default());
    made.write(&place.root().join("Run/b_Run"), &Style::default());
    let error = place.open(None, false).unwrap_err();
    assert!(matches!(&error, DataError::BoundNeeded { .. }), "{error}");
    assert!(error.to_string().contains("a_Run") && error.to_string().contains("state the bound"), "{error}");
    for nonsense in [0.0, -20.0, f32::NAN, f32::INFINITY] {
        assert!(Extraction::new(nonsense).is_err());
    }
    let backward = PrepareConfig { backward: true, ..as_is(Codec::Raw8) };
    let error = place.prepare(bound(BOUND), &backward).unwrap_err().to_string();
    assert!(error.contains("a request for backward flow"), "{error}");

    // Numbers depend on the bound, and the index of hashes has one entry per folder.
    let print = |pixels| {
        let hashes = SourceHashes::open(&place.cache());
        let print = place.open(Some(bound(pixels)), false).unwrap().fingerprint(0, &hashes).unwrap();
        hashes.save().unwrap();
        print
    };
    let before = print(20.0);
    assert_eq!(before, print(20.0));
    assert_ne!(before, print(10.0));
    let index = fs::read_to_string(place.cache().join("sources.json")).unwrap();
    assert_eq!(index.matches("\"hash\"").count(), 2, "{index}");
    fs::write(place.root().join("Run/b_Run/img_00003.jpg"), &made.jpegs[9]).unwrap();
    assert_ne!(before, print(20.0));

    let videos = Place::new(&["a", "b"]);
    put(&videos.root().join("Run/a_Run.avi"), "a video");
    put(&videos.root().join("Run/b_Run.avi"), "another");
    assert!(videos.open(None, false).is_ok());
    let error = videos.open(Some(bound(20.0)), false).unwrap_err().to_string();
    assert!(error.contains("has no extracted flow"), "{error}");
}

#[test]
fn missing_and_surplus_folders_are_named_like_videos() {
    let made = made();
    let place = Place::new(&["a", "b"]);
    made.write(&place.root().join("Run/b_Run"), &Style::default());
    made.write(&place.root().join("Run/e_Run"), &Style::default());
    let error = place.open(Some(bound(BOUND)), false).unwrap_err();
    let DataError::Layout { missing, surplus, .. } = &error else { panic!("{error}") };
    assert_eq!((missing[0].as_str(), surplus[0].as_str()), ("Run/a_Run", "Run/e_Run"));
    let set = place.open(Some(bound(BOUND)), true).unwrap();
    assert!(matches!(&set.videos[0].source, VideoSource::Missing { .. }));
    let Err(PrepareError::Videos(report)) = run(&set, &as_is(Codec::Raw8), &[0, 1], &place.cache()) else {
        panic!("a video is missing")
    };
    assert_eq!((report.failures.len(), report.prepared.videos.len()), (1, 1));
    assert!(
        report.splits.contains("split 1 lacks 0 of 1 training and 1 of 1 test videos"),
        "{}",
        report.splits
    );
}
