//! Measures both sides in turns: ours, theirs, ours, theirs. A temporary disturbance of the
//! machine then affects both.

use std::time::Duration;

use experiment::{Console, Interrupt};

use super::case::Case;
use super::error::{Error, Result};
use super::peer::{Peer, Side};
use super::program::Program;
use super::request::Rival;
use super::timing::{Memory, Timing};

/// Number of rounds of each side that do not count.
const WARM_UPS: usize = 2;

/// The same number if anything is compiled or selected at first use: kernels for the GPU, PyTorch's
/// networks.
const LONG_WARM_UPS: usize = 4;

/// Pause before a turn. Threads of the other side may wait for work by spinning, up to 200 ms with
/// some OpenMP libraries, and would share the cores.
const SETTLE: Duration = Duration::from_millis(250);

/// Approximate minimum seconds of a turn; a short case is run several times.
const TURN: f64 = 0.1;

/// Maximum number of runs of a case in a turn.
const MOST_TIMES: f64 = 50.0;

/// The settings of a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) program: &'a Program,
    pub(crate) rival: &'a Rival,
    pub(crate) threads: usize,
    /// Number of counted rounds of each side.
    pub(crate) rounds: usize,
}

/// The numbers of rounds of each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rounds {
    warm_ups: usize,
    counted: usize,
}

impl Setting<'_> {
    /// Starts the other side, with nothing prepared.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn theirs(&self) -> Result<Peer> {
        match self.rival {
            Rival::Torch(torch) => Peer::torch(torch, self.threads, self.program.place()),
            Rival::Candle => Peer::candle(self.program, self.threads),
        }
    }

    fn rounds(&self) -> Rounds {
        let compiles = self.program.place().is_gpu() || self.rival.compiles();
        let warm_ups = if compiles { LONG_WARM_UPS } else { WARM_UPS };
        Rounds { warm_ups, counted: self.rounds }
    }

    /// Measures cases, each in two fresh processes.
    ///
    /// # Errors
    /// If a side fails, or the sides do different work.
    pub(crate) fn measure(
        &self,
        cases: &[Case],
        console: &Console,
        interrupt: &Interrupt,
    ) -> Result<Vec<[Timing; 2]>> {
        let rounds = self.rounds();
        let turns = rounds.warm_ups + rounds.counted;
        let step = console.step(&format!("against {}", self.rival.name()), (turns * cases.len()) as u64, 0);
        let mut timings = Vec::new();
        for (index, case) in cases.iter().enumerate() {
            step.set((index * turns) as u64, &case.name);
            let sides = [Peer::ours(self.program, self.threads)?, self.theirs()?];
            let turn = |done: usize| {
                step.set((index * turns + done) as u64, &case.name);
                interrupt.wait(SETTLE);
            };
            // Ctrl-C also reaches the sides, and they exit before it is noticed here.
            let timing = take_turns(sides, case, rounds, self.rival.name(), turn, || interrupt.raised());
            timings.push(if interrupt.raised() { Err(Error::Interrupted) } else { timing }?);
        }
        Ok(timings)
    }
}

/// Measures one case. `turn` is called before each turn with the number of finished rounds.
fn take_turns<S: Side>(
    mut sides: [S; 2],
    case: &Case,
    Rounds { warm_ups, counted }: Rounds,
    rival: &'static str,
    turn: impl Fn(usize),
    stop: impl Fn() -> bool,
) -> Result<[Timing; 2]> {
    let mut idle = [None; 2];
    let mut sizes = [Vec::new(), Vec::new()];
    for (side, (idle, sizes)) in sides.iter_mut().zip(idle.iter_mut().zip(&mut sizes)) {
        *idle = side.peak_kib()?;
        *sizes = side.prepare(case)?;
    }
    let [ours, theirs] = sizes;
    if ours != theirs {
        return Err(Error::Unlike { case: case.name.clone(), rival, ours, theirs });
    }

    let mut times = 1;
    let mut kept = [Vec::new(), Vec::new()];
    for round in 0..warm_ups + counted {
        let mut longest = 0f64;
        for (side, kept) in sides.iter_mut().zip(&mut kept) {
            turn(round);
            if stop() {
                return Err(Error::Interrupted);
            }
            let seconds = side.run(case, times)?;
            longest = longest.max(seconds.iter().sum());
            if round >= warm_ups {
                kept.push(seconds);
            }
        }
        if round + 1 == warm_ups {
            times = (TURN / longest).ceil().clamp(1.0, MOST_TIMES) as u32;
        }
    }

    let [ours, theirs] = kept.map(|rounds| Timing::of_rounds(case, rounds));
    let mut timings = [ours, theirs];
    for ((timing, side), idle) in timings.iter_mut().zip(&mut sides).zip(idle) {
        let peak = side.peak_kib()?;
        timing.memory = idle.zip(peak).map(|(idle_kib, peak_kib)| Memory { idle_kib, peak_kib });
    }
    Ok(timings)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use experiment::{DeviceChoice, Precision};

    use super::super::place::Place;
    use super::super::request::{Layout, Torch};
    use super::super::timing::convolution;
    use super::*;

    /// A side that logs its runs and reports a fixed time.
    struct Script<'a> {
        name: char,
        seconds: f64,
        sizes: Vec<u64>,
        log: &'a RefCell<String>,
    }

    impl Side for Script<'_> {
        fn prepare(&mut self, _: &Case) -> Result<Vec<u64>> {
            Ok(self.sizes.clone())
        }

        fn run(&mut self, _: &Case, times: u32) -> Result<Vec<f64>> {
            self.log.borrow_mut().push_str(&format!("{}{times} ", self.name));
            Ok(vec![self.seconds, self.seconds])
        }

        fn peak_kib(&mut self) -> Result<Option<u64>> {
            Ok(Some(100))
        }
    }

    fn sides(log: &RefCell<String>, sizes: [u64; 2]) -> [Script<'_>; 2] {
        let [ours, theirs] = sizes;
        [
            Script { name: 'o', seconds: 0.01, sizes: vec![ours], log },
            Script { name: 't', seconds: 0.02, sizes: vec![theirs], log },
        ]
    }

    const THREE: Rounds = Rounds { warm_ups: 2, counted: 3 };

    #[test]
    fn the_sides_take_turns_as_often_each_and_warm_up_first() {
        let log = RefCell::default();
        let timings =
            take_turns(sides(&log, [7, 7]), &convolution("conv"), THREE, "PyTorch", |_| (), || false)
                .unwrap();
        // A turn of the slower side, 40 ms, is repeated until it takes 100 ms.
        assert_eq!(log.into_inner(), "o1 t1 o1 t1 o3 t3 o3 t3 o3 t3 ");
        let [ours, theirs] = timings;
        assert_eq!((ours.rounds.len(), theirs.rounds.len()), (3, 3));
        assert_eq!((ours.seconds, theirs.seconds), (0.02, 0.04));
        assert_eq!(ours.memory, Some(Memory { idle_kib: 100, peak_kib: 100 }));
    }

    #[test]
    fn sides_that_do_not_do_the_same_are_refused() {
        let log = RefCell::default();
        let error = take_turns(sides(&log, [7, 8]), &convolution("conv"), THREE, "PyTorch", |_| (), || false)
            .unwrap_err();
        let message = error.to_string();
        assert!(message.contains("case conv: the two sides do different work"), "{message}");
        assert!(message.contains("[7] here, [8] in PyTorch"), "{message}");
        assert_eq!(log.into_inner(), "");
    }

    #[test]
    fn what_is_compiled_warms_up_longer() {
        let rounds = |device, compile| {
            let program = Program::at(Place { device, precision: Precision::Fp32 });
            let torch = Torch { python: "python".into(), layout: Layout::Nchw, compile };
            Setting { program: &program, rival: &Rival::Torch(torch), threads: 1, rounds: 7 }.rounds()
        };
        assert_eq!(rounds(DeviceChoice::Cpu, false), Rounds { warm_ups: 2, counted: 7 });
        assert_eq!(rounds(DeviceChoice::Cpu, true), Rounds { warm_ups: 4, counted: 7 });
        assert_eq!(rounds(DeviceChoice::Cuda(0), false), Rounds { warm_ups: 4, counted: 7 });
    }

    #[test]
    fn an_interrupt_stops_before_the_next_turn() {
        let log = RefCell::default();
        let error = take_turns(sides(&log, [7, 7]), &convolution("conv"), THREE, "PyTorch", |_| (), || true)
            .unwrap_err();
        assert_eq!((error.exit_code(), log.into_inner().as_str()), (130, ""));
    }
}
