//! Sorting in little code. The standard library's sorts are quicker on long lists, but take up to nine kilobytes of a
//! filter for every type that they sort.

/// Sorts in place by heap sort (J. W. J. Williams, Algorithm 232, 1964), in O(n log n) whatever comes. Not stable: where
/// equals can be told apart, `less` has to.
#[inline(never)]
pub(crate) fn sort_by<T>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    if items.is_sorted_by(|a, b| !less(b, a)) {
        return;
    }
    let mut end = items.len();
    let mut start = end / 2;
    while end > 1 {
        if start > 0 {
            start -= 1;
        } else {
            end -= 1;
            items.swap(0, end);
        }
        sift(items.get_mut(..end).unwrap_or_default(), start, &less);
    }
}

/// Lets the item at `place` sink until none below it is greater.
fn sift<T>(heap: &mut [T], mut place: usize, less: &impl Fn(&T, &T) -> bool) {
    while let Some(left) = heap.get(2 * place + 1) {
        let right = heap.get(2 * place + 2).filter(|right| less(left, right));
        let (greater, child) = right.map_or((left, 2 * place + 1), |right| (right, 2 * place + 2));
        if !heap.get(place).is_some_and(|item| less(item, greater)) {
            break;
        }
        heap.swap(place, child);
        place = child;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::cell::Cell;

    use super::*;

    /// Numbers in no order, of so many kinds.
    fn mixed(count: u32, kinds: u32) -> Vec<u32> {
        (0..count).map(|number| (number.wrapping_mul(0x9e37_79b1) >> 7) % kinds).collect()
    }

    #[test]
    fn lists_of_any_length_are_sorted_as_the_standard_library_sorts_them() {
        let mut moved = 0;
        for count in (0..70).chain([1000]) {
            for kinds in [1, 2, 7, u32::MAX] {
                let list = mixed(count, kinds);
                for list in [list.clone(), list.iter().rev().copied().collect()] {
                    let (mut ours, mut theirs) = (list.clone(), list.clone());
                    sort_by(&mut ours, |a, b| a < b);
                    theirs.sort_unstable();
                    assert_eq!(ours, theirs, "{list:?}");
                    moved += u32::from(ours != list);
                }
            }
        }
        assert!(moved > 300, "{moved}");
    }

    #[test]
    fn no_order_takes_more_than_n_log_n_comparisons() {
        let rising: Vec<u32> = (0..4096).collect();
        let falling: Vec<u32> = (0..4096).rev().collect();
        let organ: Vec<u32> = (0..2048).chain((0..2048).rev()).collect();
        for mut list in [rising, falling, organ, mixed(4096, u32::MAX), mixed(4096, 3)] {
            let compared = Cell::new(0);
            sort_by(&mut list, |a, b| {
                compared.set(compared.get() + 1);
                a < b
            });
            assert!(list.is_sorted());
            assert!(compared.get() <= 2 * 4096 * 13, "{}", compared.get());
        }
    }
}
