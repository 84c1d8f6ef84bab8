//! What the demo prints: tables, and whether everything was as expected.

use std::error::Error;
use std::future::Future;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

/// A step of the demo: what it has to show, or why it was not as expected.
pub(crate) type Outcome<T = String> = Result<T, Box<dyn Error>>;

/// Longest time for one step.
const LIMIT: Duration = Duration::from_secs(15);

/// How many things were promised, and how many of them did not happen.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) promised: usize,
    pub(crate) missed: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.promised += other.promised;
        self.missed += other.missed;
    }
}

/// Steps under one heading, each a row.
pub(crate) struct Report {
    title: &'static str,
    rows: Vec<Vec<String>>,
    tally: Tally,
}

impl Report {
    pub(crate) fn new(title: &'static str) -> Report {
        Report { title, rows: Vec::new(), tally: Tally::default() }
    }

    /// Runs a step and notes what it says.
    pub(crate) async fn step(&mut self, kind: &str, step: impl Future<Output = Outcome>) {
        let begin = Instant::now();
        let outcome = tokio::time::timeout(LIMIT, step).await.unwrap_or_else(|_| Err("it never ended".into()));
        let took = begin.elapsed();
        self.tally.promised += 1;
        let (verdict, text) = match outcome {
            Ok(text) => ("ok", text),
            Err(error) => {
                self.tally.missed += 1;
                ("FAILED", error.to_string())
            }
        };
        self.rows.push(vec![kind.to_owned(), milliseconds(took), verdict.to_owned(), text]);
    }

    /// Prints the table.
    pub(crate) fn print(self) -> Tally {
        table(self.title, &["kind", "ms", "", "what happened"], &self.rows);
        self.tally
    }
}

/// Fails a step unless `holds`.
pub(crate) fn expect(holds: bool, what: impl FnOnce() -> String) -> Outcome<()> {
    if holds { Ok(()) } else { Err(what().into()) }
}

/// Prints rows under headings. Columns of figures are aligned to the right.
pub(crate) fn table(title: &str, headings: &[&str], rows: &[Vec<String>]) {
    println!("\n{title}\n");
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let is_figure = |column: usize| {
        !rows.is_empty() && rows.iter().all(|row| row[column].starts_with(|c: char| c.is_ascii_digit() || c == '-'))
    };
    let columns: Vec<(usize, bool)> = (0..headings.len()).map(|column| (width(column), is_figure(column))).collect();
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().zip(&columns).map(|(cell, (width, is_figure))| {
            if *is_figure { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        println!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(headings.to_vec());
    let rules: Vec<String> = columns.iter().map(|(width, _)| "-".repeat(*width)).collect();
    line(rules.iter().map(String::as_str).collect());
    for row in rows {
        line(row.iter().map(String::as_str).collect());
    }
}

/// A duration in milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1e3)
}
