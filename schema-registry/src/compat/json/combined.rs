//! May one combination of schemas follow another?

use super::Compare;
use super::shape::{Criterion, Parts};

impl Compare {
    pub(super) fn combined(&mut self, old: &Parts, new: &Parts) -> bool {
        let single = |parts: &Parts| parts.sites.len() == 1;
        let extends = old.criterion == new.criterion
            || new.criterion == Criterion::Any
            || (single(old) && (single(new) || new.criterion == Criterion::One))
            || (single(new) && old.criterion == Criterion::All);
        if !extends {
            return self.fault(
                "COMBINED_TYPE_CHANGED",
                "The kind of combination (allOf, anyOf, oneOf) differs between the {reader} and the {writer} schema",
            );
        }
        let mut fits = true;
        if old.sites.len() < new.sites.len() && new.criterion == Criterion::All {
            fits &= self
                .fault("PRODUCT_TYPE_EXTENDED", "The {reader} schema demands more by 'allOf' than the {writer} schema");
        }
        if old.sites.len() > new.sites.len() && old.criterion != Criterion::All {
            fits &= self
                .fault("SUM_TYPE_NARROWED", "The {reader} schema offers fewer alternatives than the {writer} schema");
        }
        let fitting: Vec<Vec<usize>> = { old.sites.iter() }
            .map(|old| {
                let news = new.sites.iter().enumerate();
                news.filter(|(_, new)| self.tries(*old, **new)).map(|(index, _)| index).collect()
            })
            .collect();
        if matched(&fitting, new.sites.len()) < old.sites.len().min(new.sites.len()) {
            fits &= self.fault(
                "COMBINED_TYPE_SUBSCHEMAS_CHANGED",
                "The parts of the combination in the {reader} schema do not take those of the {writer} schema",
            );
        }
        fits
    }
}

/// The largest number of pairs such that nobody is in two: each row may take one of its columns.
fn matched(rows: &[Vec<usize>], columns: usize) -> usize {
    let mut taken: Vec<Option<usize>> = vec![None; columns];
    let starts = 0..rows.len();
    starts.filter(|row| place(*row, rows, &mut taken, columns)).count()
}

/// Breadth-first search for a chain of moves that frees a column for `row`.
fn place(row: usize, rows: &[Vec<usize>], taken: &mut [Option<usize>], columns: usize) -> bool {
    let mut from: Vec<Option<usize>> = vec![None; columns];
    let mut open = std::collections::VecDeque::from([row]);
    while let Some(current) = open.pop_front() {
        for &column in &rows[current] {
            if from[column].is_some() {
                continue;
            }
            from[column] = Some(current);
            match taken[column] {
                Some(owner) => open.push_back(owner),
                None => {
                    // Walks the chain back: each row moves to the column that was found for it.
                    let mut free = column;
                    while let Some(owner) = from[free] {
                        let left = taken.iter().position(|held| *held == Some(owner));
                        taken[free] = Some(owner);
                        match left.filter(|_| owner != row) {
                            Some(left) => free = left,
                            None => break,
                        }
                    }
                    return true;
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::matched;

    #[test]
    fn chains_are_found() {
        for (rows, columns, expected) in [
            (vec![], 0, 0),
            (vec![vec![0], vec![0]], 1, 1),
            (vec![vec![0, 1], vec![0]], 2, 2),
            (vec![vec![0, 1], vec![0, 2], vec![0]], 3, 3),
            (vec![vec![0], vec![0, 1], vec![1]], 2, 2),
            (vec![vec![1, 0], vec![1, 2], vec![1], vec![2]], 3, 3),
        ] {
            assert_eq!(matched(&rows, columns), expected, "{rows:?}");
        }
    }
}
