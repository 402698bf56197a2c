//! Test of an input that the loader does not know.

use std::ops::Range;
use std::sync::Arc;

use base::Modality;

use super::{Crops, LabelledVideo, TestConfig, TestViews, TrainConfig, TrainLoader};
use crate::augment::Augmentation;
use crate::inputs::toy::Toy;
use crate::inputs::{FrameStack, Input, Kind};
use crate::sample::{Align, At, SampleInput, SampleSpec, SpelledSample, TimeSteps};
use crate::source::Frame;
use crate::{DataError, Direction, Field, VideoReader};

/// Thirty black frames.
struct Black(Range<usize>);

impl VideoReader for Black {
    fn size(&self) -> (usize, usize) {
        (6, 4)
    }

    fn frames(&self) -> usize {
        self.0.end
    }

    fn segments(&self) -> &[Range<usize>] {
        std::slice::from_ref(&self.0)
    }

    fn frame(&self, _t: usize) -> Result<Frame, DataError> {
        Ok(Frame { width: 6, height: 4, rgb: vec![0; 72] })
    }

    fn field(&self, _direction: Direction, _t: usize) -> Result<Field, DataError> {
        Err(DataError::NotPrepared { id: "without flow".into() })
    }
}

#[test]
fn a_toy_input_goes_from_the_spec_into_batches_beside_another() {
    let spelled: SpelledSample = toml::from_str("kind = 'toy'\nfactor = 4.0").expect("a kind that is listed");
    let toy = spelled.scaled(0.5);
    assert_eq!(toy, SampleSpec::single(Toy { factor: 2.0 }));
    let json = serde_json::to_string(&toy.inputs[0].input).expect("plain values");
    assert_eq!(json, r#"{"toy":{"factor":2.0}}"#);
    assert_eq!(serde_json::from_str::<Input>(&json).expect("as written"), toy.inputs[0].input);
    assert_eq!(toy.inputs[0].input.label(), "the time");

    let frames = FrameStack { length: 5, stride: 1, mean: None, scale: [1.0; 3] };
    let beside = SampleInput { input: frames.into(), at: At::Middle };
    let time_steps = TimeSteps::Strided { count: 3, from: 2, to: 4 };
    let sample = SampleSpec { inputs: vec![toy.inputs[0], beside], align: Align::Center, time_steps };
    let source = Arc::new(Black(0..30));
    let video = LabelledVideo { id: "black".into(), label: 0, view: None, source: Arc::clone(&source) as _ };
    let config = TrainConfig {
        sample: sample.clone(),
        size: (3, 2),
        batch: 7,
        places: None,
        augmentation: Augmentation::random_crops(true),
        seed: 3,
        depth: 2,
        workers: 2,
    };
    let (toy, rgb) = (Toy { factor: 2.0 }.modality(), Modality::RGB);
    for batch in TrainLoader::new(vec![video], &config, 0..3).expect("valid") {
        let batch = batch.expect("readable");
        assert_eq!(batch.inputs.len(), 2);
        assert_eq!((batch.inputs[&toy].shape, batch.inputs[&rgb].shape), ([7, 3, 1, 2, 3], [7, 1, 15, 2, 3]));
        // It stands at the third of the five frames that the other takes.
        let expected = batch.time_steps.iter().flat_map(|&time_step| [2.0 * (time_step + 2) as f32; 6]);
        assert!(batch.inputs[&toy].data.iter().copied().eq(expected));
        assert!(batch.inputs[&rgb].data.iter().all(|&value| value == 0.0));
    }
    let config = TestConfig { sample, size: (3, 2), frames: 4, crops: Crops::Ten };
    let views: Vec<_> = TestViews::new("black", &*source, &config, 100).expect("valid").collect();
    let views = views[0].as_ref().expect("readable");
    assert_eq!(views.inputs[&toy].shape, [40, 3, 1, 2, 3]);
    assert_eq!(views.inputs[&toy].data[0], 4.0);
}
