"""From ids to windows: which words are kept, window widths, and negatives."""
