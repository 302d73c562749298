"""Tables in Bitable: made, checked, written behind and compared; local rows are the truth."""
