//! Pairs of views through AlexNet: two branches, one set of weights, a softmax and a contrastive loss.

use models::{Architecture, Modality, Network};
use nn::{ContrastiveLoss, PairDistance, Params, Pass, Sgd};
use testkit::{assert_close, fixture, sizes, values};

use crate::support::{alex_net, device, inputs, prefixed};

/// Compares ten steps with PyTorch, which calls the network once per branch and adds the gradients; here both branches are
/// one batch.
#[test]
fn ten_steps_on_pairs_agree_with_pytorch_in_both_forms() {
    let tensors = fixture("siamese");
    let config = alex_net(&tensors, sizes(&tensors["classes"])[0]);
    let pictures = tensors["x"].dim(0).unwrap();
    let inputs = inputs(Modality::RGB, &tensors["x"]);
    let labels: Vec<u32> = sizes(&tensors["labels"]).iter().map(|&label| label as u32).collect();
    let similar: Vec<bool> = sizes(&tensors["similar"]).iter().map(|&similar| similar == 1).collect();
    assert_eq!((pictures, labels.len(), similar.len()), (8, 8, 4));
    let rate = f64::from(values(&tensors["rate"])[0]);
    for (form, distance) in [("l1", PairDistance::L1), ("l2", PairDistance::L2)] {
        let params = Params::new(device());
        let network = config.build(&params.builder(0)).unwrap();
        params.set_tensors(&prefixed(&tensors, "start.")).unwrap();
        let scale = values(&tensors[&format!("{form}.scale")]);
        let mut optimiser = Sgd::of(&params, 0.9, 5e-4).unwrap();
        let (mut worst_loss, mut worst_gradient) = (0f64, 0f64);
        for (step, &expected) in values(&tensors[&format!("{form}.losses")]).iter().enumerate() {
            let pass = Pass::train(0);
            let outputs = network.forward(&inputs, &pass).unwrap();
            let softmax = nn::softmax_cross_entropy(&outputs.heads[0].logits, &labels, &pass).unwrap();
            let contrastive = ContrastiveLoss::new(similar.clone(), scale[0], distance).weighted(scale[1]);
            let contrastive =
                nn::contrastive_loss(outputs.features.as_ref().unwrap(), contrastive, &pass).unwrap();
            let loss = nn::sum_of_losses(&[softmax, contrastive], &pass).unwrap();
            worst_loss = worst_loss.max(f64::from((values(&loss)[0] / expected - 1.0).abs()));
            assert!(worst_loss < 1e-3, "{form}: loss {step} is {}, expected {expected}", values(&loss)[0]);
            let gradients = pass.backward(&loss).unwrap();
            if step == 0 {
                for (name, expected) in prefixed(&tensors, &format!("{form}.grad.")) {
                    let found = gradients.get(&params.get(&name).unwrap()).unwrap();
                    worst_gradient = worst_gradient.max(assert_close(&name, found, &expected, 1e-4));
                }
            }
            optimiser.descend(&gradients, rate).unwrap();
        }
        for (name, expected) in prefixed(&tensors, &format!("{form}.end.")) {
            assert_close(&name, &params.tensors()[&name], &expected, 1e-3);
        }
        eprintln!("{form}: worst loss {worst_loss:.1e}, gradient {worst_gradient:.1e}");
    }
}
