"""What a study measures of a day: activities, intensity, sitting, rest, wear. Pure: world clock in, numbers out."""
