//! Writes the model card of an exported row.

use data::loader::Crops;
use models::ModelConfig;

use crate::grid::Grid;
use crate::record::Record;
use crate::trained::{Trained, TrainedNet};
use base::text::{NONE, markdown, numbered, points, range, reported};
use plan::Work;

/// Returns the card as Markdown, with the front matter that the hub reads.
pub(super) fn card(trained: &Trained) -> String {
    let record = &trained.record;
    let dataset = record.data.first().map_or("unknown", |data| data.name.as_str());
    let mut text = front_matter(trained, dataset);
    let label =
        record.column.as_ref().map_or(record.label.clone(), |column| format!("{}, {column}", record.label));
    text.push_str(&format!(
        "\n# {}: {}\n\nA row of `{}`, trained and tested on `{}`{} at the profile `{}`.\n\n",
        markdown(&record.table),
        markdown(&label),
        markdown(&record.table),
        markdown(dataset),
        match record.data.first() {
            Some(data) if !data.data_seeds.is_empty() =>
                format!(" ({})", numbered("data seed", &data.data_seeds)),
            _ => String::new(),
        },
        record.profile
    ));
    text.push_str(&result(record));
    text.push_str("\nThe paper's number is for its own data and scale; those of this row are above. The weights are from one ");
    let run = &record.runs[trained.run];
    text.push_str(&format!(
        "split and seed (split {}, seed {}), which reach {} % on their own.\n\n## Nets\n\n",
        run.split,
        run.seed,
        points(run.top1)
    ));
    for net in &trained.nets {
        text.push_str(&format!("- {}\n", described(net, trained.nets.len() == 1)));
    }
    if let Work::Fusion(plan) = &record.work {
        text.push_str(&format!("\nThe scores of a video, over the nets: {}.\n", plan.fusion.words()));
    }
    text.push_str(
        "\n`config.json` holds every value of the plan and the whole record.\n\n## Use\n\n```console\n$ cargo xtask predict --run FOLDER \
         VIDEO\n$ cargo xtask run --from FOLDER\n```\n\nThe first classifies a video file; the second tests these weights again by the row's \
         protocol.\n\n",
    );
    text.push_str(&from_candle(&trained.nets));
    text.push_str(&format!("## Labels\n\n{}\n", markdown(&trained.classes.join(", "))));
    text
}

/// Describes how a program for Candle opens the nets. Keep it in step with the example `open_exported` of the crate `models`.
fn from_candle(nets: &[TrainedNet]) -> String {
    let Some(net) = nets.first() else { return String::new() };
    let model = &net.protocol.net.model;
    let file = if nets.len() == 1 { "model".to_owned() } else { net.name.clone() };
    let others =
        if nets.len() > 1 { " The other nets are the other `streams`, each in its own file." } else { "" };
    let channels: usize = model.summary().map_or(0, |summary| {
        // (C, H, W), or (C, T, H, W) for clips.
        let of = |dims: &[usize]| dims[..dims.len().saturating_sub(2)].iter().product::<usize>();
        summary.inputs.iter().map(|(_, dims)| of(dims)).sum()
    });
    let classes = model.heads().first().copied().unwrap_or(0);
    let side = net.protocol.net.crop;
    let torchvision = match model {
        ModelConfig::ResNet50(config) if config.is_torchvisions() => {
            "\nNames and layout of the tensors are torchvision's: `candle_transformers::models::resnet::resnet50` also \
             opens them.\n"
        }
        _ => "\nNames and layout of the tensors are PyTorch's.\n",
    };
    format!(
        "From a program for Candle, with the crate `models`:\n\n\
         ```rust\n\
         let config: serde_json::Value = serde_json::from_slice(&std::fs::read(\"FOLDER/config.json\")?)?;\n\
         let model = config[\"streams\"][0][\"protocol\"][\"net\"][\"model\"].clone();\n\
         let model: models::ModelConfig = serde_json::from_value(model)?;\n\
         let weights = std::fs::read(\"FOLDER/{file}.safetensors\")?;\n\
         let store = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;\n\
         let network = models::Classifier::new(&*model, store, 0)?;\n\
         let logits = network.forward_t(&x, false)?; // (B, {channels}, {side}, {side}) to (B, {classes})\n\
         ```\n\nThe example `open_exported` of that crate is the whole program.{others}\n{torchvision}\n"
    )
}

fn front_matter(trained: &Trained, dataset: &str) -> String {
    let record = &trained.record;
    // A JSON text is a YAML text.
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    format!(
        "---\nlibrary_name: candle\npipeline_tag: video-classification\ntags:\n- action-recognition\n- candle\nmodel-index:\n- name: {}\n  \
         results:\n  - task:\n      type: video-classification\n    dataset:\n      name: {}\n      type: {}\n    metrics:\n    - type: \
         accuracy\n      name: top-1\n      value: {:.2}\n---\n",
        quoted(&format!("{}/{}", record.table, record.row)),
        quoted(dataset),
        quoted(dataset),
        record.top1.value
    )
}

/// Formats the row as in its table.
fn result(record: &Record) -> String {
    let (expected, scored) = record.videos();
    Grid::new(
        vec![
            [
                "row",
                "paper",
                "top-1, %",
                "95 % interval",
                "test videos",
                "parameters",
                "multiply-adds a sample",
            ]
            .map(str::to_owned)
            .to_vec(),
            vec![
                record.label.clone(),
                record.reported.map_or(NONE.into(), reported),
                points(record.top1.value),
                range(record.top1.low, record.top1.high),
                if expected == scored { scored.to_string() } else { format!("{scored} of {expected}") },
                record.parameters.to_string(),
                record.multiply_adds.to_string(),
            ],
        ],
        1,
    )
    .markdown()
        + "\n"
}

fn described(net: &TrainedNet, alone: bool) -> String {
    let plan = &net.protocol.net;
    let sees: Vec<String> =
        plan.inputs().map(|input| format!("{} channels of {}", input.channels(), input.content())).collect();
    let crops = match net.protocol.test.crops {
        Crops::Ten => "ten crops",
        Crops::Center => "the central crop",
    };
    format!(
        "`{}`{}: {}, sees {} of {}x{} pixels; trained for {} iterations of {}; tested on {} of {} a video",
        if alone { "model" } else { &net.name },
        if alone { format!(" ({})", net.name) } else { String::new() },
        plan.model.kind(),
        sees.join(" and "),
        plan.crop,
        plan.crop,
        plan.train.iterations,
        plan.train.batch,
        crops,
        net.protocol.test.frames.map_or("all its frames".into(), |frames| format!("{frames} frames")),
    )
}
