// The question in a dialog of macOS's: JavaScript for Automation, run by osascript. It reads what `window.py` reads, as data from its
// standard input, and says the decision on a line, then, where one was asked for, the passphrase. Deny is what Enter and Escape press.
ObjC.import("Foundation");
var data = $.NSFileHandle.fileHandleWithStandardInput.readDataToEndOfFile;
var asked = JSON.parse($.NSString.alloc.initWithDataEncoding(data, $.NSUTF8StringEncoding).js);
var app = Application.currentApplication();
app.includeStandardAdditions = true;
var words = {"Deny": "deny", "Allow once": "once", "Allow for the session": "session"};
var labels = {"once": "Allow once", "session": "Allow for the session"};
var buttons = ["Deny"].concat(asked.choices.map(function (choice) { return labels[choice]; }));
var options = {withTitle: asked.title, buttons: buttons, defaultButton: "Deny", cancelButton: "Deny", withIcon: "caution"};
var text = asked.heading + "\n\n" + asked.text;
if (asked.passphrase) {
    options.defaultAnswer = "";
    options.hiddenAnswer = true;
    text += "\n\n" + (asked.wrong ? asked.wrong + "\n" : "") + "Your passphrase:";
}
var said = "deny";
var typed = "";
try {
    var answer = app.displayDialog(text, options);
    said = words[answer.buttonReturned];
    if (asked.passphrase && said !== "deny") typed = "\n" + answer.textReturned;
} catch (error) {
    if (error.errorNumber !== -128) throw error; // Cancel and Escape
}
said + typed;
