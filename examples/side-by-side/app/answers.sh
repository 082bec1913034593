# What the greeting service answers.
echo "good morning"
