//! The flags of `bench`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use experiment::Precision;
use experiment::grid::{Form, Screen};

use super::groups::{Where, precision};
use crate::bench::{self, Layout, Rival, Suite, Torch};

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Benchmark
    #[arg(value_enum)]
    suite: Suite,
    /// Run only cases whose name contains one of these
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    only: Vec<String>,
    /// Number of threads on each side [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Python interpreter with torch: run the same in PyTorch, interleaved, and print ratios
    #[arg(long, value_name = "PYTHON", group = "rival")]
    against_torch: Option<PathBuf>,
    /// With `modules`: run candle-nn's layers, interleaved, and print ratios
    #[arg(long, group = "rival")]
    against_candle: bool,
    #[command(flatten)]
    device: Where,
    /// Precision of products on a GPU: fp32, or tf32 on its tensor cores [default: fp32]
    #[arg(long, value_name = "NAME", value_parser = precision)]
    precision: Option<Precision>,
    /// Use torch.compile in PyTorch
    #[arg(long, requires = "against_torch")]
    compile: bool,
    /// Use the channels-last layout in PyTorch
    #[arg(long, requires = "against_torch")]
    channels_last: bool,
    /// Number of measured rounds a side, after two warm-up rounds (four on a GPU and with --compile)
    #[arg(long, value_name = "N", default_value = "7", requires = "rival")]
    rounds: NonZeroUsize,
    /// Print Markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print JSON with the times of each round
    #[arg(long)]
    pub(crate) json: bool,
}

impl Bench {
    pub(crate) fn form(&self, screen: Screen) -> Form {
        if self.markdown { Form::Markdown } else { Form::Terminal(screen) }
    }

    pub(crate) fn request(&self) -> bench::Request {
        let layout = if self.channels_last { Layout::ChannelsLast } else { Layout::Nchw };
        let torch =
            |python: &PathBuf| Rival::Torch(Torch { python: python.clone(), layout, compile: self.compile });
        let candle = self.against_candle.then_some(Rival::Candle);
        bench::Request {
            suite: self.suite,
            only: self.only.clone(),
            threads: self.threads.map(NonZeroUsize::get),
            device: self.device.device,
            precision: self.precision,
            rival: self.against_torch.as_ref().map(torch).or(candle),
            rounds: self.rounds.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use experiment::DeviceChoice;

    use super::*;
    use crate::flags::{Cli, Command};

    fn bench(flags: &str) -> Result<bench::Request, String> {
        let words = ["xtask", "bench"].into_iter().chain(flags.split_whitespace());
        match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
            Command::Bench(flags) => Ok(flags.request()),
            other => panic!("`bench` was read as {other:?}"),
        }
    }

    #[test]
    fn a_benchmark_runs_on_the_cpu_unless_told_otherwise() {
        let request = bench("steps").unwrap();
        assert_eq!((request.device, request.precision), (DeviceChoice::Cpu, None));
        assert!(request.rival.is_none());
        let request = bench("steps --device cuda:1 --precision tf32 --only mini").unwrap();
        assert_eq!((request.device, request.precision), (DeviceChoice::Cuda(1), Some(Precision::Tf32)));
        let rival = |flags: &str| {
            let request = bench(flags).unwrap();
            (request.rival.unwrap(), request.rounds)
        };
        let (torch, rounds) = rival("steps --device cuda --compile --against-torch python");
        assert_eq!((torch.compiles(), torch.layout(), rounds), (true, Layout::Nchw, 7));
        let (torch, rounds) = rival("steps --channels-last --against-torch python --rounds 3");
        assert_eq!((torch.compiles(), torch.layout(), rounds), (false, Layout::ChannelsLast, 3));
        let (candle, _) = rival("modules --against-candle");
        assert_eq!((candle.name(), candle.layout()), ("candle-nn", Layout::Nchw));
    }

    #[test]
    fn flags_of_a_benchmark_that_make_no_sense_are_refused() {
        let refused = |flags: &str| bench(flags).map(|_| ()).unwrap_err();
        for flag in ["--compile", "--channels-last"] {
            let message = refused(&format!("steps {flag}"));
            assert!(message.contains("--against-torch <PYTHON>"), "{message}");
        }
        for flags in ["modules --rounds 3", "modules --against-candle --against-torch python"] {
            let message = refused(flags);
            assert!(message.contains("--against-torch"), "{message}");
        }
        let message = refused("steps --device gpu");
        assert!(message.contains("expected cpu, cuda, or cuda:N"), "{message}");
        let message = refused("steps --device cuda --precision bf16");
        assert!(message.contains("expected fp32 or tf32, found `bf16`"), "{message}");
    }
}
