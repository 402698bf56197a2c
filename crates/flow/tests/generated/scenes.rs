//! Tests of the generated pairs themselves.

use crate::pairs::{Kind, pair};
use flow::{FlowField, endpoint_error};

#[test]
fn a_pair_depends_on_its_kind_and_seed_alone() {
    for kind in Kind::ALL {
        let [a, b, other] = [1, 1, 2].map(|seed| pair(kind, 48, 40, seed));
        let bits = |field: &FlowField| field.u.iter().map(|u| u.to_bits()).collect::<Vec<_>>();
        assert_eq!((&a.from, &a.to, bits(&a.truth)), (&b.from, &b.to, bits(&b.truth)), "{}", kind.name());
        assert!(a.from != other.from && a.to != other.to, "{}", kind.name());
    }
}

/// Warping the second picture back along the true flow gives the first, far closer than without warping.
#[test]
fn the_truth_joins_the_two_pictures() {
    for kind in Kind::ALL {
        let pair = pair(kind, 160, 120, 5);
        let (mut joined, mut unmoved, mut known) = (Vec::new(), Vec::new(), 0);
        for y in 0..120 {
            for x in 0..160 {
                let i = y * 160 + x;
                if pair.truth.u[i].is_nan() {
                    continue;
                }
                known += 1;
                let (to_x, to_y) = (x as f32 + pair.truth.u[i], y as f32 + pair.truth.v[i]);
                let (left, top) = ((to_x as usize).min(158), (to_y as usize).min(118));
                let (along, down) = (to_x - left as f32, to_y - top as f32);
                let at = |dx: usize, dy: usize| pair.to.data[(top + dy) * 160 + left + dx];
                let above = at(0, 0) + along * (at(1, 0) - at(0, 0));
                let below = at(0, 1) + along * (at(1, 1) - at(0, 1));
                joined.push((above + down * (below - above) - pair.from.data[i]).abs());
                unmoved.push((pair.to.data[i] - pair.from.data[i]).abs());
            }
        }
        let [joined, unmoved] = [joined, unmoved].map(|mut differences| {
            differences.sort_by(f32::total_cmp);
            differences[differences.len() / 2]
        });
        let name = kind.name();
        let most = match kind {
            // The median of |a - b| of two draws with deviation 6 is 5.7.
            Kind::Noise => 7.0,
            Kind::Brightness => 14.0,
            _ => 2.0,
        };
        assert!(joined < most, "{name}: {joined}");
        assert!(unmoved > 1.5 * joined || kind == Kind::Brightness, "{name}: {joined} and {unmoved}");
        assert!(known > 160 * 120 * 3 / 5, "{name}: {known} known");
        assert!(known < 160 * 120, "{name}: something leaves the picture");
        let still = FlowField::new(160, 120, vec![0.0; 160 * 120], vec![0.0; 160 * 120]).unwrap();
        assert!(endpoint_error(&still, &pair.truth).unwrap() > 0.5, "{name}");
    }
}
