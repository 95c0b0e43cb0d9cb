"""The Common Procurement Vocabulary: the code list of Regulation (EC) 213/2008, searchable by text."""
