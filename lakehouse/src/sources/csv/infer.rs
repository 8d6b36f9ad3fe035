//! Column types from the values of files, chosen so that a value's text can be told from the typed
//! one: bronze keeps data as received.

use std::path::Path;

use northstar_catalog::{Error, ErrorKind, Result};
use northstar_iceberg::storage::landing::open;

use super::header::take_header;
use super::shape::Guess;
use super::split::Kind;
use super::stream::{Event, RecordStream};
use super::window::Window;
use super::{Column, ColumnType, CsvOptions, Header, Renames};

/// What was learned about a table's columns from its files so far.
///
/// Every record of right width of every file is looked at, so that no row of these files is refused
/// because of a type chosen here. A type other than string is chosen only if all values that are not
/// NULL are written the way that type is written back: integers without leading zeros and of at most
/// 18 digits (`long`), numbers with the same one to four fraction digits (`decimal(18,s)`), numbers
/// that print as they were (`double`), dates, timestamps of one and the same form, `true` and
/// `false`. A column without values is a string.
#[derive(Debug)]
pub struct Inference {
    options: CsvOptions,
    columns: Vec<(String, Guess)>,
}

impl Inference {
    /// Nothing is known yet.
    pub fn new(options: &CsvOptions) -> Self {
        Self { options: options.clone(), columns: Vec::new() }
    }

    /// Learns from the file at `path`. The first file gives the columns and their order.
    ///
    /// # Errors
    /// Those of [`CsvReader::open`](super::CsvReader::open) and
    /// [`CsvReader::next_batch`](super::CsvReader::next_batch).
    pub fn add(&mut self, path: &Path, renames: &Renames) -> Result<()> {
        self.options.check()?;
        let file = path.display().to_string();
        let mut window = Window::new(Box::new(open(path)?), file, self.options.block_bytes);
        let header = take_header(&mut window, renames, &self.options)?;
        let order = self.order(&header, window.file())?;
        let mut guesses: Vec<Guess> = order.iter().map(|&at| self.columns[at].1).collect();
        let width = guesses.len();
        let mut stream = RecordStream::new(window, header.next_line, width, &self.options);
        loop {
            match stream.next()? {
                Event::End => break,
                Event::Bad(..) => {}
                Event::Record(_) => {
                    let data = stream.data();
                    for (guess, field) in guesses.iter_mut().zip(stream.fields()) {
                        guess.add(&data[field.start..field.end], field.kind == Kind::Escaped);
                    }
                }
            }
        }
        for (guess, at) in guesses.into_iter().zip(order) {
            self.columns[at].1 = guess;
        }
        Ok(())
    }

    /// The columns with their types, in the order of the first file.
    pub fn columns(&self) -> Vec<Column> {
        self.columns.iter().map(|(name, guess)| Column::new(name, guess.column_type())).collect()
    }

    /// For each column of the file, its position in the table.
    fn order(&mut self, header: &Header, file: &str) -> Result<Vec<usize>> {
        if self.columns.is_empty() {
            let names = header.columns.iter().map(|column| (column.name.clone(), Guess::new()));
            self.columns = names.collect();
        }
        let known: Vec<Column> =
            self.columns.iter().map(|(name, _)| Column::new(name, ColumnType::String)).collect();
        super::header::match_columns(header, &known, file)
    }
}

/// The columns of the table that all of these files are of, with types that every record of them
/// fits; see [`Inference`].
///
/// # Errors
/// `InvalidInput` if no file is given; else those of [`Inference::add`].
pub fn infer<P: AsRef<Path>>(
    paths: &[P],
    renames: &Renames,
    options: &CsvOptions,
) -> Result<Vec<Column>> {
    if paths.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "no file is given to infer columns from"));
    }
    let mut inference = Inference::new(options);
    for path in paths {
        inference.add(path.as_ref(), renames)?;
    }
    Ok(inference.columns())
}
