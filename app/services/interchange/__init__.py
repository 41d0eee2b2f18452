"""What was recognised, in the words of other systems: FHIR R4 and Open mHealth."""
