//! Compaction of one partition with more rows than fit into the memory that is given.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    arguments::CompactionArguments,
    child::{Python, Usage, tail},
    error::{BenchError, Result},
    lab::{Extract, Order, Plan, write_extract},
    load::{Checked, remove},
    numbers::{as_f64, word},
    printer::progress,
};

/// The most resident memory beside what is given.
const MOST: f64 = 1.5;

const TABLE: &str = "bronze.lab_result";

/// What must be the same before and after.
const SUMS: &str = "SELECT count(*), sum(result_id), sum(patient_id), sum(version), sum(reference_high), \
                    count(comment), sum(character_length(test_name)), min(collected_at), \
                    max(collected_at), count(DISTINCT result_id) FROM bronze.lab_result";

struct Measured {
    name: &'static str,
    files: u64,
    bytes: u64,
    usage: Usage,
    checked: Checked,
}

/// Runs the case; false when rows differ or a target is missed.
///
/// # Errors
/// A load that fails, or a program that cannot be started.
pub(crate) fn run(arguments: &CompactionArguments) -> Result<bool> {
    let home = arguments.scale.home()?;
    let plan = Plan {
        rows: arguments.rows,
        facilities: 1,
        months: 1,
        seed: 1,
        order: Order::Shuffled,
        file_rows: arguments.rows.div_ceil(arguments.loads.max(1)),
        document_bytes: 0,
    };
    progress("the extract");
    let extract = write_extract(&plan, &home)?;
    let all = [("bin-pack", false), ("sort", true)]
        .map(|(name, sorted)| measure(arguments, &home, &extract, name, sorted));
    let mut lines = vec![
        "| compaction | rows | files before | MB before | files after | MB after | CPU s | wall s | \
         peak MiB | of the memory |"
            .to_string(),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |".to_string(),
    ];
    let mut good = true;
    for one in all {
        let one = one?;
        let peak_mib = as_f64(one.usage.peak_rss_kib) / 1_024.0;
        let share = peak_mib / as_f64(arguments.memory_mib);
        good &= share <= MOST;
        lines.push(format!(
            "| {} | {} | {} | {:.0} | {} | {:.0} | {:.1} | {:.1} | {peak_mib:.0} | {share:.2} |",
            one.name,
            one.checked.rows,
            one.files,
            as_f64(one.bytes) / 1e6,
            one.checked.files,
            as_f64(one.checked.table_bytes) / 1e6,
            one.usage.cpu_s(),
            one.usage.wall_s
        ));
    }
    lines.push(String::new());
    lines.push(format!(
        "Given {} MiB; the rows are about {:.0} MiB in memory, all in one partition. Resident memory at \
         most {MOST} of what is given: {}. Rows and sums are those of before, and those that DuckDB reads.",
        arguments.memory_mib,
        as_f64(arguments.rows) * 195.0 / f64::from(1 << 20),
        word(good)
    ));
    arguments.scale.show("compaction", &lines)?;
    Ok(good)
}

fn measure(
    arguments: &CompactionArguments,
    home: &Path,
    extract: &Extract,
    name: &'static str,
    sorted: bool,
) -> Result<Measured> {
    let run = home.join("compaction").join(name);
    remove(&run)?;
    fs::create_dir_all(&run).map_err(|error| BenchError::at(&run, &error))?;
    let program = Program { binary: &arguments.scale.northstar, warehouse: run.join("lake") };
    progress(&format!("{name}: loads"));
    program.load_each(extract, &run, sorted)?;
    let sql =
        format!("SELECT count(*), sum(file_size_in_bytes) FROM {}", "bronze.\"lab_result$files\"");
    let files = program.told(&["sql", &sql])?;
    let files: Vec<u64> = files.split(',').filter_map(|number| number.parse().ok()).collect();
    let before = program.told(&["sql", SUMS])?;
    progress(&format!("{name}: compaction"));
    let memory = format!("{}MiB", arguments.memory_mib);
    let words = program.words(&["--memory", &memory, "maintain", "compact", TABLE]);
    let python = Python { interpreter: &arguments.scale.python, scripts: &arguments.scale.scripts };
    let log = run.join("compact.log");
    let usage = python.measure(&words, 3_600, &log)?;
    if usage.exit_code != 0 {
        return Err(BenchError::new(format!("compaction failed: {}", tail(&log))));
    }
    if program.told(&["sql", SUMS])? != before {
        return Err(BenchError::new(format!("{name}: the rows are not those of before")));
    }
    let mut words = python.script("check.py");
    words.extend(["--warehouse".into(), program.warehouse.clone().into()]);
    words.extend(["--expected".into(), extract.expected.clone().into()]);
    words.extend(["--reader", "duckdb"].map(OsString::from));
    let checked: Checked = serde_json::from_slice(&python.output(&words)?)?;
    remove(&run)?;
    let [files, bytes] = files[..] else {
        return Err(BenchError::new("the files of the table are not told"));
    };
    Ok(Measured { name, files, bytes, usage, checked })
}

/// The binary under test on a warehouse.
struct Program<'a> {
    binary: &'a Path,
    warehouse: PathBuf,
}

impl Program<'_> {
    fn words(&self, rest: &[&str]) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![self.binary.into(), "--warehouse".into()];
        words.push(self.warehouse.clone().into());
        words.extend(rest.iter().map(OsString::from));
        words
    }

    /// The last line that a command prints as CSV.
    fn told(&self, rest: &[&str]) -> Result<String> {
        let words = self.words(&[&["--output", "csv"], rest].concat());
        let output = Command::new(&words[0]).args(&words[1..]).output();
        let output = output.map_err(|error| BenchError::at(self.binary, &error))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(BenchError::new(format!("{rest:?} failed: {errors}")));
        }
        let text = String::from_utf8_lossy(&output.stdout).trim_end().to_string();
        Ok(text.lines().last().unwrap_or_default().to_string())
    }

    /// Loads each file of the extract in a commit of its own.
    fn load_each(&self, extract: &Extract, run: &Path, sorted: bool) -> Result<()> {
        let read =
            |path: &Path| fs::read_to_string(path).map_err(|error| BenchError::at(path, &error));
        let text = read(&extract.contract)?;
        let kept = text.lines().filter(|line| sorted || !line.starts_with("sort = "));
        let contract = run.join("tables.toml");
        let kept: Vec<&str> = kept.collect();
        fs::write(&contract, kept.join("\n")).map_err(|error| BenchError::at(&contract, &error))?;
        let folder = extract.folder.join("lab_result");
        let entries = fs::read_dir(&folder).map_err(|error| BenchError::at(&folder, &error))?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for (at, file) in files.iter().enumerate() {
            let from = run.join(format!("in-{at}"));
            let table = from.join("lab_result");
            fs::create_dir_all(&table).map_err(|error| BenchError::at(&table, &error))?;
            let link = table.join("part.csv");
            fs::hard_link(file, &link).map_err(|error| BenchError::at(&link, &error))?;
            let (from, contract) = (from.display().to_string(), contract.display().to_string());
            self.told(&[
                "load",
                "csv",
                "--into",
                "bronze",
                "--from",
                &from,
                "--contract",
                &contract,
            ])?;
        }
        Ok(())
    }
}
