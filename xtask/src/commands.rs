//! One function a command.

use std::path::Path;
use std::time::Duration;

use clap::CommandFactory;
use experiment::check::Checker;
use experiment::device::Device;
use experiment::predict::Predictor;
use experiment::store::write_atomic;
use experiment::trained::Trained;
use experiment::{Console, Error, FlowRequest, Interrupt, Result, Runner, json, list};

use crate::asked::{Asked, print_budgets, print_tables, ranks, together};
use crate::doctor::doctor;
use crate::failure::Failure;
use crate::flags::{
    Bench, Check, Cli, Command, Compare, Export, Figures, Folders, Judge, New, Predict, Prepare, Printed, Run,
};
use crate::screen::{say, screen};
use crate::{bench, cluster, schema, torture};

pub(crate) fn dispatch(command: &Command, console: &Console, interrupt: &Interrupt) -> Result<(), Failure> {
    match command {
        Command::List { claims, run, json: as_json, folders } => {
            let workspace = folders.workspace();
            Ok(say(match (claims, as_json) {
                (true, false) => list::claims(&workspace, run)?,
                (false, false) => list::tables(&workspace, screen())?,
                (true, true) => json(&list::listed_claims(&workspace, run)?),
                (false, true) => json(&list::listed(&workspace)?),
            })?)
        }
        Command::Show { table, question, json: true, folders } => {
            let mut workspace = folders.workspace();
            let request = workspace.understand(question.request()).map_err(Error::from)?;
            Ok(say(experiment::show::show_json(&workspace, table, &request)?)?)
        }
        Command::Show { table, question, json: false, folders } => {
            let mut workspace = folders.workspace();
            let request = workspace.understand(question.request()).map_err(Error::from)?;
            let shown = experiment::show::show(&workspace, table, &request, screen())?;
            Ok(say(format!("{}\n{}", shown.plan, shown.estimate))?)
        }
        Command::Run(flags) => Ok(run(flags, console, interrupt)?),
        Command::New(New::Table { name, extends }) => Ok(new_table(name, extends)?),
        Command::New(New::Dataset { name, root, output }) => Ok(new_dataset(name, root, output.as_deref())?),
        Command::Figures(flags) => Ok(figures(flags, console, interrupt)?),
        Command::Prepare(flags) => Ok(prepare(flags, console, interrupt)?),
        Command::Flow(flags) => {
            let batched = experiment::device_flow::batched(&flags.device.device.open()?)?;
            let request = FlowRequest { batched, ..flags.request() };
            Ok(say(experiment::estimate_flow(&request, console, interrupt)?)?)
        }
        Command::Compare(flags) => Ok(compare(flags)?),
        Command::Judge(flags) => Ok(judge(flags, console, interrupt)?),
        Command::Predict(flags) => predict(flags, console, interrupt),
        Command::Export(flags) => Ok(export(flags, interrupt)?),
        Command::Check(flags) => check(flags, console, interrupt),
        Command::Report { output, folders } => {
            Ok(say(report::report(&folders.workspace(), output.as_deref())?)?)
        }
        Command::Doctor { json: as_json, folders } => {
            let report = doctor(&folders.workspace());
            say(if *as_json { json(&report) } else { report.terminal(screen()) })?;
            if report.is_well() { Ok(()) } else { Err(Failure::Unwell) }
        }
        Command::Schema { check: true } => schema::check(),
        Command::Schema { check: false } => Ok(schema::write(console)?),
        Command::Work { manifest, task } => Ok(cluster::work(manifest, *task, interrupt)?),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command().bin_name("xtask"), "xtask", &mut script);
            Ok(say(String::from_utf8_lossy(&script))?)
        }
        Command::Bench(flags) => bench(flags, console, interrupt),
        Command::Torture { minutes, seed, only, json: as_json } => {
            let time = Duration::from_secs_f64(60.0 * minutes);
            let seed = seed.unwrap_or_else(torture::any_seed);
            let request = torture::Request { time, seed, parts: only.clone() };
            let report = torture::run(&request, console, interrupt)?;
            say(if *as_json { json(&report) } else { report.terminal(screen()) })?;
            if report.held() { Ok(()) } else { Err(Failure::Broken) }
        }
        Command::Verify { device, precision, json: as_json } => {
            let verified =
                experiment::verify::verify(&device.device.open()?, *precision, console, interrupt)?;
            say(if *as_json { json(&verified) } else { verified.terminal(screen()) })?;
            if verified.passed() { Ok(()) } else { Err(Failure::Differs) }
        }
    }
}

fn new_table(name: &str, extends: &str) -> Result<()> {
    let draft = plan::draft::table(&Folders::default().workspace(), name, extends)?;
    write_atomic(&draft.path, draft.text.as_bytes())?;
    say(format!(
        "wrote {}\nnext: edit it, then `cargo xtask show {name}` and `cargo xtask run {name} --profile smoke`",
        draft.path.display()
    ))
}

fn new_dataset(name: &str, root: &Path, output: Option<&Path>) -> Result<()> {
    let draft = plan::draft::dataset(&Folders::default().workspace(), name, root, output)?;
    write_atomic(&draft.path, draft.text.as_bytes())?;
    let asked = if output.is_some() { draft.path.display().to_string() } else { name.to_owned() };
    say(format!(
        "{}\nwrote {}\nnext: look at the file, then `cargo xtask run table1b --dataset {asked} --row stack-10-on`",
        draft.found,
        draft.path.display()
    ))
}

fn compare(flags: &Compare) -> Result<()> {
    let mut workspace = flags.folders.workspace();
    if !flags.rows.is_empty() {
        let matrix = experiment::compare::matrix::matrix(&workspace, &flags.rows)?;
        return say(match flags.format {
            _ if flags.json => matrix.json(),
            Printed::Terminal => matrix.terminal(screen()),
            Printed::Markdown => matrix.markdown(),
            Printed::Csv => matrix.csv(),
        });
    }
    let mut request = flags.request();
    request.dataset = request.dataset.as_deref().map(|asked| workspace.take_in(asked)).transpose()?;
    let compared = experiment::compare::compare(&workspace, &request)?;
    if let Some(file) = &flags.parquet {
        compared.write_parquet(file)?;
    }
    let text = match flags.format {
        _ if flags.json => compared.json(),
        Printed::Terminal => compared.terminal(screen()),
        Printed::Markdown => compared.markdown(),
        Printed::Csv => compared.csv()?.trim_end().to_owned(),
    };
    say(text)
}

fn judge(flags: &Judge, console: &Console, interrupt: &Interrupt) -> Result<()> {
    let workspace = flags.folders.workspace();
    let judge = experiment::judge::Judge {
        workspace: &workspace,
        data_roots: flags.roots.data_roots(),
        console,
        interrupt,
    };
    let judged = judge.again(&flags.tables, &flags.run)?;
    say(if flags.json { json(&judged) } else { judged.terminal(screen()) })
}

fn check(flags: &Check, console: &Console, interrupt: &Interrupt) -> Result<(), Failure> {
    let workspace = flags.workspace();
    let device = flags.device.device.open()?;
    let device = &device;
    let checker =
        Checker { workspace: &workspace, device, data_roots: flags.roots.data_roots(), console, interrupt };
    let checked = checker.check(&flags.request())?;
    say(if flags.json { json(&checked) } else { checked.terminal(screen()) })?;
    if flags.update {
        for file in checker.update(&checked)? {
            console.line(&format!("wrote {}", file.display()));
        }
        return Ok(());
    }
    if checked.has_moved() { Err(Failure::Moved) } else { Ok(()) }
}

fn bench(flags: &Bench, console: &Console, interrupt: &Interrupt) -> Result<(), Failure> {
    let report = bench::run(&flags.request(), console, interrupt)?;
    say(if flags.json { json(&report) } else { report.text(flags.form(screen())) })?;
    Ok(())
}

fn predict(flags: &Predict, console: &Console, interrupt: &Interrupt) -> Result<(), Failure> {
    let workspace = flags.folders.workspace();
    let videos = flags.videos.len();
    if flags.chart.is_some() && videos > 1 {
        return Err(Error::Usage("--chart draws one video; give the others one by one".into()).into());
    }
    let trained = Trained::find(&workspace, &flags.run, interrupt)?;
    let device = flags.device.device.open()?;
    let predictor = Predictor::new(&trained, &workspace, &device, console, interrupt)?
        .accepting_messages(flags.decoding.accept_messages);
    let mut failed = 0;
    for video in &flags.videos {
        let prediction = match predictor.predict(video) {
            Ok(prediction) => prediction,
            Err(error) if videos > 1 && error.is_of_one_video() => {
                failed += 1;
                let (name, said) = (video.display().to_string(), error.to_string());
                let named = if said.contains(&name) { said } else { format!("{name}: {said}") };
                console.error(&format!("error: {named}"));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        say(if flags.json { prediction.json() } else { prediction.terminal(screen()) })?;
        if let Some(file) = &flags.chart {
            write_atomic(file, prediction.chart()?.as_bytes())?;
        }
    }
    if failed > 0 { Err(Failure::Unclassified { failed, videos }) } else { Ok(()) }
}

fn export(flags: &Export, interrupt: &Interrupt) -> Result<()> {
    let trained = Trained::from_record(&flags.folders.workspace(), &flags.run)?;
    for file in experiment::export::write(&trained, &flags.folder, interrupt)? {
        say(file.display())?;
    }
    Ok(())
}

fn run(flags: &Run, console: &Console, interrupt: &Interrupt) -> Result<()> {
    let asked = Asked::of(flags, console, interrupt)?;
    let requests = asked.at_budgets(flags);
    if let Some(config) = flags.engine.slurm()? {
        if requests.len() > 1 {
            return Err(Error::Usage("--engine slurm takes one --budget at a time".into()));
        }
        return cluster::run(flags, &asked, config, console, interrupt);
    }
    if flags.dry_run {
        for (table, (_, request)) in
            asked.tables.iter().flat_map(|table| requests.iter().map(move |at| (table, at)))
        {
            let shown = experiment::show::show(&asked.workspace, table, request, screen())?;
            // Videos need not be there to show a plan.
            let runner = asked.runner(flags, &Device::Cpu, console, interrupt);
            let steps = Runner { request, ..runner }.outline(table);
            let steps = steps.unwrap_or_else(|error| format!("not known: {error}"));
            say(format!("{}\n{}\n\nSteps: {steps}", shown.plan, shown.estimate))?;
        }
        return Ok(());
    }
    let device = flags.device.device.open()?;
    let ranks = ranks()?;
    let silent = Console::silent();
    let shown = if ranks.is_first() { console } else { &silent };
    if requests.len() > 1 {
        if ranks.size() > 1 {
            return Err(Error::Usage("several ranks take one --budget at a time".into()));
        }
        let runner = |request| Runner { request, ..asked.runner(flags, &device, shown, interrupt) };
        let runners: Vec<(f64, Runner<'_>)> =
            requests.iter().map(|(budget, request)| (*budget, runner(request))).collect();
        return print_budgets(flags, &asked.tables, &runners);
    }
    let runner = Runner { ranks, ..asked.runner(flags, &device, shown, interrupt) };
    together(&runner, console, || print_tables(flags, &asked.tables, &runner))
}

fn figures(flags: &Figures, console: &Console, interrupt: &Interrupt) -> Result<()> {
    let mut workspace = flags.folders.workspace();
    let request = workspace.understand(flags.request())?;
    let runner =
        Runner { data_roots: flags.data_roots(), ..Runner::new(&workspace, &request, console, interrupt) };
    for table in &workspace.full_names(&flags.tables)? {
        for file in runner.figures(table)? {
            say(file.display())?;
        }
    }
    Ok(())
}

fn prepare(flags: &Prepare, console: &Console, interrupt: &Interrupt) -> Result<()> {
    if let Some(config) = flags.engine.slurm()? {
        return cluster::prepare(flags, config, console, interrupt);
    }
    let (workspace, dataset, request) = flags.asked()?;
    let (table, dataset) = (flags.table.as_deref(), &*dataset);
    let runner = flags.runner(&workspace, &request, console, interrupt);
    if flags.dry_run {
        let batched = experiment::device_flow::planned(flags.device.device);
        return say(runner.unprepared(table, dataset, batched.as_ref())?);
    }
    let device = flags.device.device.open()?;
    let runner = Runner { device: &device, ..runner };
    say(runner.prepare(table, dataset)?)
}
